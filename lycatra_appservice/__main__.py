"""`python -m lycatra_appservice` is `lycatra`."""

from lycatra_appservice.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
