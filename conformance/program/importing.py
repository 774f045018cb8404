"""`bridgecheck import`: the options, the file that is written, what was left out and what is missing. The work is in
conformance/taps: har.py, secret.py and traffic.py."""

import fnmatch
import os
from collections import Counter
from pathlib import Path

import click

from bridgecheck.conformance._player import ExchangeError, parse
from bridgecheck.conformance.errors import UsageError
from bridgecheck.conformance.taps import har, tap, traffic
from bridgecheck.conformance.taps.har import Har
from bridgecheck.conformance.taps.secret import Secret, Secrets


@click.command("import")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, metavar="FILE", help="The exchange file.")
@click.option(
    "--origin-filter", "hosts", metavar="HOST[:PORT]", multiple=True, help="Of this host only, the app's own; * stands for any text."
)
@click.option("--secret", "extra", metavar="NAME", multiple=True, help="A field, parameter or key whose value is secret, too.")
@click.option("--keep", metavar="NAME", multiple=True, help="One, or a cookie, whose value is none.")
@click.option("--no-scrub", is_flag=True, help="Leave all secrets in.")
def import_(
    files: tuple[Path, ...], output: Path, hosts: tuple[str, ...], extra: tuple[str, ...], keep: tuple[str, ...], no_scrub: bool
) -> int:
    """Make exchanges of HAR files, as browsers and mitmproxy export them, without the secrets.

    A secret that an answer gave is taken from that answer again when it is played; another one from BRIDGECHECK_SECRET_NAME in the
    environment of this command, or a stand-in stays in its place.

    Exit code: 0, or 2 where a file or an entry cannot be read; what can is written all the same.
    """
    if output.exists():
        raise UsageError(f"{output}: exists already; name another file")
    written, sessions, problems = [tap.MAGIC.decode()], Counter[str](), list[str]()
    missing: dict[str, Secret] = {}
    left_out: Counter[str] = Counter()
    names: dict[str, str] = {}
    for file in files:
        read = har.read(file)
        problems += [str(error) for error in read.errors]
        _filter(read, file, hosts)
        left_out += read.left_out
        if not read.entries:
            continue
        carried = _scrub(read, Secrets(extra, keep, names), missing) if not no_scrub else traffic.carried(read.entries)
        sessions[file.stem] += 1
        name = file.stem if sessions[file.stem] == 1 else f"{file.stem}.{sessions[file.stem]}"
        written.append(traffic.text(read, name, carried.givers))
    exchanges = 0
    if len(written) > 1:
        exchanges = _write(output, "".join(written).encode("ascii"))
    click.echo(_summary(exchanges, output, left_out), err=True)
    for variable, secret in missing.items():
        click.echo(f"scrubbed: {secret.where}; to give it again set {variable} and import once more", err=True)
    if problems:
        raise UsageError("\n".join(problems))
    if not exchanges:
        raise UsageError("nothing to import")
    return 0


def _scrub(read: Har, secrets: Secrets, missing: dict[str, Secret]) -> traffic.Carried:
    """Take the secrets out of the entries, add those that nothing gives to the missing ones, and tell what is carried then."""
    recorded = read.entries
    read.entries = secrets.scrubbed(recorded)
    carried = traffic.carried(read.entries)
    missing |= {secret.variable: secret for secret in secrets.give(os.environ, read.entries, carried.values)}
    read.entries = secrets.scrubbed(recorded)
    return carried


def _filter(read: Har, file: Path, hosts: tuple[str, ...]) -> None:
    """Keep the app's own host. Where nothing tells it, there may be only one."""
    found = Counter(entry.host for entry in read.entries)
    if not hosts and len(found) > 1:
        raise UsageError(
            f"{file}: of {len(found)} hosts, choose with --origin-filter: {', '.join(f'{h} ({n})' for h, n in found.most_common(8))}"
        )
    wanted = [host.lower() for host in hosts]

    def matches(host: str) -> bool:
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        return any(fnmatch.fnmatchcase(given, pattern) for given in (host, name) for pattern in wanted)

    if hosts:
        own = [entry for entry in read.entries if matches(entry.host)]
        read.left_out["of other hosts"] += len(read.entries) - len(own)
        read.entries = own


def _write(output: Path, data: bytes) -> int:
    """Whole or not at all, and for its owner alone to read."""
    try:
        exchanges = len(parse(data, str(output)))
    except ExchangeError as error:
        raise UsageError(f"{output}: {error.message}; take fewer entries at a time") from None
    partial = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
        partial.rename(output)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise UsageError(f"{output}: {error.strerror}") from None
    return exchanges


def _summary(exchanges: int, output: Path, left_out: Counter[str]) -> str:
    words = [f"{exchanges} exchanges in {output}"]
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(left_out.items()) if count)
    return "; ".join([*words, f"left out: {reasons}"] if reasons else words)
