"""`make soak`: imports, exports and faults at random for some minutes, and then an audit of what is left.

    python -m tests.soak --minutes 10 --seed 7 --partners 8

Each partner has an organisation and knows, by the oracle of the tests, which leads it must have. The service
runs in processes of its own, which are killed, cut off and left without Postgres meanwhile. Ends with 1 when
the database, the bucket or an answer is not what was sent.
"""

import argparse
import logging
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.soak.audit import audit
from tests.soak.breaking import Breaking
from tests.soak.partner import Partner
from tests.support.fragile_stack import FragileStack

RETRY_SECONDS = (1.0, 4.0)


def main() -> int:
    """Soaks the service as the command line says; 0 when all is as it must be."""
    parser = argparse.ArgumentParser(prog="make soak", description="Work and faults, then an audit.")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long work is begun (10)")
    parser.add_argument("--seed", type=int, default=None, help="of what is done and broken; else a new one")
    parser.add_argument("--partners", type=int, default=8, help="organisations at work at once (8)")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed
    _say(f"Soaking for {options.minutes:g} minutes with {options.partners} partners, seed {seed}")
    # What the service's processes log is not for here, and what is broken on purpose no news.
    logging.disable(logging.ERROR)
    with tempfile.TemporaryDirectory() as directory:
        # The server's own user must get in.
        Path(directory).chmod(0o755)
        stack = FragileStack(Path(directory), retry_seconds=RETRY_SECONDS)
        with stack:
            return _soak(stack, options.minutes * 60, seed, options.partners)


def _soak(stack: FragileStack, seconds: float, seed: int, number: int) -> int:
    until = time.monotonic() + seconds
    partners = [Partner(stack, f"{seed}-{n}", until) for n in range(number)]
    breaking = Breaking(stack, seed, until)
    breaking.start()
    for partner in partners:
        partner.start()
    breaking.join()
    for partner in partners:
        partner.join()
    done: Counter[str] = sum((partner.done for partner in partners), Counter())
    _say("Broken: " + _counted(breaking.done))
    _say("Done: " + _counted(done))
    wrong = [*breaking.wrong, *(line for partner in partners for line in partner.wrong)]
    if not wrong:
        leads = sum(len(partner.leads) for partner in partners)
        wrong = audit(stack, partners)
        _say(f"Audited {leads:,} leads of {sum(len(partner.jobs) for partner in partners):,} imports")
    for line in wrong:
        _say(f"WRONG: {line}")
    if not breaking.done or not done["imported"]:
        _say("WRONG: nothing was broken or nothing imported, so this tells nothing")
        return 1
    _say(f"{len(wrong)} faults of ours" if wrong else "All is as it was sent.")
    return 1 if wrong else 0


def _counted(counter: Counter[str]) -> str:
    return ", ".join(f"{number} {what}" for what, number in sorted(counter.items())) or "nothing"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
