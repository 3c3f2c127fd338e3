"""Trigger inversion: the smallest trigger that sends all probes to a label, for all labels at once."""

from nc_scan.inversion.found import Inversion
from nc_scan.inversion.invert import invert
from nc_scan.inversion.settings import ADAPTIVE, PAPER, InversionSettings, Round

__all__ = ["ADAPTIVE", "PAPER", "Inversion", "InversionSettings", "Round", "invert"]
