"""How good the verdicts are: a zoo of models with known truth, scanned, counted, and fitted on."""
