"""`python -m nc_scan`, the same as `nc-scan`."""

from nc_scan.cli import main

if __name__ == "__main__":
    main()
