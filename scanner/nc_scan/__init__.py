"""Finds backdoors in image classifiers by reverse-engineering their triggers."""
