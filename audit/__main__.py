"""`python -m audit` is `fleet-audit`."""

from audit.cli import main

if __name__ == "__main__":
    main()
