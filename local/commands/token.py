"""`make -s token ORG=acme ROLE=ADMIN USER=ana@acme.example`: a token for the stack of LEADS_STATE_DIR."""

from __future__ import annotations

import argparse
import sys

from local.aws.authorizer import TokenIssuer, token_claims
from local.state import state_directory


def main() -> int:
    """Print a token; 2 with a message on stderr when the organisation is missing or no stack ever ran."""
    parser = argparse.ArgumentParser(prog="python -m local.commands.token")
    parser.add_argument("--org", default="")
    parser.add_argument("--role", default="ADMIN")
    parser.add_argument("--user", default="dev@example.com")
    given = parser.parse_args()
    if not given.org:
        print("ORG is missing: make -s token ORG=acme ROLE=ADMIN USER=ana@acme.example", file=sys.stderr)
        return 2
    try:
        issuer = TokenIssuer.load(state_directory())
    except FileNotFoundError:
        print(f"{state_directory()} has no key yet: start the stack first (make run)", file=sys.stderr)
        return 2
    print(issuer.issue(token_claims(given.org, given.role, given.user)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
