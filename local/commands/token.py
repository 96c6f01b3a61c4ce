"""Implement `make token`: print a token for the stack of LEADS_STATE_DIR."""

from __future__ import annotations

import argparse
import sys

from local.aws.authorizer import TokenIssuer, token_claims
from local.state import state_directory


def main() -> int:
    """Print a token. Return 2 and print a message if the organisation is missing or no stack ever ran."""
    parser = argparse.ArgumentParser(prog="python -m local.commands.token")
    parser.add_argument("--org", default="")
    parser.add_argument("--role", default="ADMIN")
    parser.add_argument("--user", default="dev@example.com")
    arguments = parser.parse_args()
    if not arguments.org:
        print("ORG is missing: make -s token ORG=acme ROLE=ADMIN USER=ana@acme.example", file=sys.stderr)
        return 2
    try:
        issuer = TokenIssuer.load(state_directory())
    except FileNotFoundError:
        print(f"{state_directory()} has no key yet: start the stack first (make run)", file=sys.stderr)
        return 2
    print(issuer.issue(token_claims(arguments.org, arguments.role, arguments.user)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
