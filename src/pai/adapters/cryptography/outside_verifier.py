#!/usr/bin/env python3
"""Checks evidence of a PAI installation without PAI, without a network and without trusting who handed it over.

    python3 verify.py PATH --key KEY [--checkpoint HELD.note]... [--witness KEY]... [--json]

PATH is what `pai audit export` wrote (its folder or its log.jsonl), a proof of `pai audit prove`, a checkpoint (.note), or the
receipt of an answer. KEY is a verifier key, or a file that holds one, got from the installation itself and not from whoever handed
the evidence over. HELD.note is a checkpoint that you kept from before. --answer, --question (for chats the messages, in JSON) and
--source (the document) name files to compare a receipt with.

Exit code 0: everything holds. 1: it does not, and what is wrong is named. 2: wrong usage. 3: it holds together, but no --key was
given, so whoever made the evidence may have made its key too.

Formats: docs/audit.md of PAI. RFC 9162 (tree), C2SP signed-note, tlog-checkpoint and tlog-cosignature (signatures), RFC 8032
(Ed25519), RFC 2104 (HMAC). Needs Python 3.11 and the library `cryptography`, nothing else. Read it: it is short on purpose.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import re
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

SIGNS, COSIGNS = 1, 4  # types of keys in C2SP signed-note: Ed25519, Ed25519 cosignature with a time
CLOCK_SECONDS = 5  # time may go back so far without an event that tells of it
CLOCK_EVENT = b'"name":"audit:clock:set-back"'
EVENT = re.compile(rb'\{"body":(\{.*\}),"index":(0|[1-9]\d{0,18}),"salt":"([0-9a-f]{32})"\}\n', re.DOTALL)
ERASED = re.compile(rb'\{"index":(0|[1-9]\d{0,18}),"leaf":"([0-9a-f]{64})"\}\n')
TIME = re.compile(rb'"at":"([-0-9T:.]{19,26}Z)"')
MOST_ERRORS = 20


class Broken(Exception):
    """Evidence that does not hold: ``kind`` in one word, ``index`` of the event or size it is about."""

    def __init__(self, kind: str, hint: str, index: int | None = None) -> None:
        super().__init__(hint)
        self.told = {"kind": kind, "index": index, "hint": hint}


# --- The tree: RFC 9162 section 2.1 ---


def sha256(data: bytes) -> bytes:
    """Return 32 bytes."""
    return hashlib.sha256(data).digest()


def leaf_of(salt: bytes, body: bytes) -> bytes:
    """Return the leaf hash of an event. It stands when salt and body are erased, and tells nothing of them."""
    return sha256(b"\x00\x01" + sha256(salt + body))


def node(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return sha256(b"\x01" + left + right)


def root_of(frontier: list[bytes]) -> bytes:
    """Return the root of a tree from the roots of its perfect subtrees, largest first."""
    if not frontier:
        return sha256(b"")
    root = frontier[-1]
    for left in reversed(frontier[:-1]):
        root = node(left, root)
    return root


def climb(index: int, size: int, path: list[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yield each step of a path, and whether it stands left (2.1.3.2, 2.1.4.2). Raises Broken for another length."""
    fn, sn = index, size - 1
    for step in path:
        if sn == 0:
            raise Broken("inclusion", "the proof is longer than the tree is high", index)
        left = bool(fn & 1) or fn == sn
        yield step, left
        while left and fn and not fn & 1:
            fn, sn = fn >> 1, sn >> 1
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise Broken("inclusion", "the proof is shorter than the tree is high", index)


def check_inclusion(leaf: bytes, index: int, size: int, path: list[bytes], root: bytes) -> None:
    """Raise Broken unless the path leads from the leaf to the root."""
    if not 0 <= index < size:
        raise Broken("inclusion", f"a log of {size} events has no event {index}", index)
    found = leaf
    for step, left in climb(index, size, path):
        found = node(step, found) if left else node(found, step)
    if found != root:
        raise Broken("inclusion", "this event does not stand in the log that was signed", index)


def check_consistency(first: int, second: int, path: list[bytes], old: bytes, new: bytes) -> None:
    """Raise Broken unless the log of ``first`` events is the beginning of the log of ``second``."""
    wrong = Broken("consistency", f"the log of {first} events is not the beginning of the log of {second}", first)
    if first in (0, second):
        if path or old != (new if first else sha256(b"")):
            raise wrong
        return
    steps = [old, *path] if first & (first - 1) == 0 else path
    if first > second or not steps:
        raise wrong
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    one = two = steps[0]
    try:
        for step, left in climb(fn, sn + 1, steps[1:]):
            one, two = (node(step, one), node(step, two)) if left else (one, node(two, step))
    except Broken:
        raise wrong from None
    if one != old or two != new:
        raise wrong


# --- Keys and signed notes: C2SP signed-note, tlog-checkpoint, tlog-cosignature ---


class Key:
    """A verifier key, as text ``name+id+base64(type || public key)``; the id is a hash over the others."""

    def __init__(self, told: str) -> None:
        if not re.fullmatch(r"[^+\s]+\+[0-9a-f]{8}\+\S+", told):
            told = Path(told).read_text("utf-8").strip()
        try:
            self.text, (self.name, number, blob) = told, told.split("+", 2)
            raw = base64.b64decode(blob, validate=True)
            self.type, self.public = raw[0], Ed25519PublicKey.from_public_bytes(raw[1:])
        except (ValueError, IndexError):
            raise Broken("key", f"this is no verifier key: {told[:80]}") from None
        self.id = sha256(self.name.encode() + b"\n" + raw)[:4]
        if number != self.id.hex() or self.type not in (SIGNS, COSIGNS):
            raise Broken("key", f"the id of this verifier key is not the key's: {told[:80]}")


class Note:
    """A signed note. ``text`` is what is signed, its last newline included."""

    def __init__(self, whole: str) -> None:
        try:
            text, rest = whole.split("\n\n", 1)
            lines = [line.split(" ") for line in rest.removesuffix("\n").split("\n")]
            if not rest.endswith("\n") or any(dash != "\N{EM DASH}" for dash, _, _ in lines):
                raise ValueError(rest)
            self.whole, self.text = whole, text + "\n"
            self.signatures = [(name, base64.b64decode(blob, validate=True)) for _, name, blob in lines]
        except (ValueError, AttributeError):
            raise Broken("note", "this is not a signed note") from None

    def signed_by(self, key: Key) -> int | None:
        """Return None unless the key signed this; for a witness, the seconds since 1970 at which it did."""
        for name, blob in self.signatures:
            if name == key.name and blob[:4] == key.id:
                stamp, signature, message = 0, blob[4:], self.text
                if key.type == COSIGNS:
                    stamp, signature = int.from_bytes(blob[4:12], "big"), blob[12:]
                    message = f"cosignature/v1\ntime {stamp}\n{self.text}"
                try:
                    key.public.verify(signature, message.encode())
                except InvalidSignature:
                    return None
                return stamp
        return None


class Checkpoint(Note):
    """A tree head, signed by the key of the log."""

    def __init__(self, whole: str, key: Key) -> None:
        super().__init__(whole)
        lines = self.text.split("\n")
        if len(lines) < 4 or not re.fullmatch(r"0|[1-9][0-9]{0,18}", lines[1]):
            raise Broken("note", "this is not a checkpoint")
        self.origin, self.size, self.root = lines[0], int(lines[1]), hash_of(lines[2])
        if self.signed_by(key) is None:
            raise Broken("signature", f"the checkpoint of {self.size} events is not signed by {key.text}", self.size)


def hash_of(text: str) -> bytes:
    """Return a hash from base64."""
    raw = base64.b64decode(text, validate=True)
    if len(raw) != 32:
        raise ValueError("a hash has 32 bytes")
    return raw


def canonical(value: Any) -> bytes:
    """Return what is hashed: JSON with sorted keys, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def loads(text: bytes | str) -> Any:
    """Return JSON in which no key comes twice, so that no two readers see different things."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            raise ValueError("a key comes twice")
        return dict(pairs)

    return json.loads(text, object_pairs_hook=once)


# --- A whole log ---


class Reading:
    """The lines of a log one after the other, with the roots at the sizes that are wanted."""

    def __init__(self, sizes: set[int]) -> None:
        self.sizes, self.roots = sizes, {0: sha256(b"")}
        self.frontier: list[bytes] = []
        self.count = self.erased = 0
        self.seen: set[bytes] = set()
        self.before = b""
        self.back: int | None = None
        self.notices: list[dict[str, Any]] = []

    def take(self, line: bytes) -> Iterator[Broken]:
        """Add a line; yield what is wrong with it."""
        if found := EVENT.fullmatch(line):
            body, number, salt = found.groups()
            leaf = leaf_of(bytes.fromhex(salt.decode()), body)
            self.time(body)
        elif found := ERASED.fullmatch(line):
            number, leaf = found.group(1), bytes.fromhex(found.group(2).decode())
            self.erased += 1
        else:
            yield Broken("format", f"line {self.count + 2} is not an event as PAI writes it", self.count)
            return
        yield from self.place(int(number), leaf)
        size = self.count
        while size & 1:
            leaf, size = node(self.frontier.pop(), leaf), size >> 1
        self.frontier.append(leaf)
        self.count += 1
        if self.count in self.sizes:
            self.roots[self.count] = root_of(self.frontier)

    def place(self, index: int, leaf: bytes) -> Iterator[Broken]:
        """Yield what is wrong with where an event stands. Salts are random: no leaf comes twice by itself."""
        if leaf in self.seen:
            yield Broken("duplicate", "an event stands in the log twice", index)
        elif index > self.count:
            yield Broken("deleted", f"an event is missing before event {index}", self.count)
        elif index < self.count:
            yield Broken("reordered", f"event {index} stands at place {self.count}", index)
        self.seen.add(leaf)

    def time(self, body: bytes) -> None:
        """Remember where time goes back and PAI did not write so; where it did, take note."""
        found, before = TIME.search(body), self.before
        self.before = found.group(1) if found else b""
        if CLOCK_EVENT in body:
            hint = "the clock of the machine was set back, and PAI wrote so"
            self.notices.append({"kind": "clock", "index": self.count, "hint": hint})
        elif self.before < before and self.back is None:
            was, now = (datetime.fromisoformat(one.decode() or "0001-01-01T00:00:00Z") for one in (before, self.before))
            if (was - now).total_seconds() > CLOCK_SECONDS:
                self.back = self.count

    def end(self, signed: Checkpoint, wrong: int | None) -> None:
        """Raise Broken unless this is the log that was signed. ``wrong`` is the smallest signed size with another root."""
        if self.count < signed.size:
            if wrong is not None:
                raise Broken(
                    "deleted", f"events before {wrong} were taken out or changed: {self.count} of {signed.size}", wrong
                )
            raise Broken("truncated", f"{signed.size} events were signed, {self.count} are here", self.count)
        if self.count > signed.size:
            raise Broken("inserted", f"{signed.size} events were signed, {self.count} are here", signed.size)
        if self.roots[signed.size] != signed.root and self.back is not None:
            raise Broken(
                "reordered", f"event {self.back} is older than the one before it, and not in its place", self.back
            )
        if self.roots[signed.size] != signed.root:
            raise Broken("edited", f"an event before {wrong} is not the one that was signed", wrong)
        if self.back is not None:
            raise Broken("clock", "time goes back before this event, and PAI did not write so", self.back)


# --- What can be checked ---


class Check:
    """One run: what the caller trusts, and what was found."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.errors: list[dict[str, Any]] = []
        self.notices: list[dict[str, Any]] = []
        self.facts: dict[str, Any] = {}
        self.given = Key(options.key) if options.key else None
        self.witnesses = [Key(told) for told in options.witness]
        self.kept = [Path(told).read_text("utf-8") for told in options.checkpoint]
        self.key: Key = self.given or Key.__new__(Key)

    def trying(self, act: Callable[..., Any], *arguments: Any) -> Any:
        """Call, and note what is broken instead of stopping."""
        try:
            return act(*arguments)
        except Broken as error:
            self.errors.append(error.told)

    def trust(self, told: str) -> None:
        """Take the key that comes with the evidence, if the caller gave none."""
        if self.given is None:
            self.key = Key(told)
        elif told != self.given.text:
            raise Broken("key", f"the evidence names another key than the one you gave: {told[:120]}")

    def head(self, whole: str) -> Checkpoint:
        """Return the newest checkpoint of the evidence, compared with those that the caller kept, with its witnesses."""
        newest = Checkpoint(whole, self.key)
        self.facts |= {"origin": newest.origin, "size": newest.size, "root": base64.b64encode(newest.root).decode()}
        for held in self.kept:
            self.trying(lambda held=held: self.compare(Checkpoint(held, self.key), newest, None))
        for witness in self.witnesses:
            stamp = newest.signed_by(witness)
            if stamp is None:
                self.errors.append(
                    Broken("witness", f"{witness.name} did not co-sign this checkpoint", newest.size).told
                )
            self.facts.setdefault("witnessed", []).append([witness.name, stamp])
        return newest

    def compare(self, old: Checkpoint, new: Checkpoint, root: bytes | None) -> None:
        """Raise Broken unless both can be of one log. ``root`` is what the evidence has at the size of ``old``, if it tells."""
        if old.size > new.size:
            hint = f"this is an old state or a cut one: it has {new.size} events, and {old.size} were signed"
            raise Broken("replayed", hint, old.size)
        root = new.root if old.size == new.size else root
        if old.origin != new.origin or (root is not None and root != old.root):
            raise Broken("fork", f"a checkpoint of {old.size} events was signed that is not of this log", old.size)

    def log(self, path: Path) -> None:
        """Check an export: every leaf from body and salt, the tree, and each checkpoint."""
        with path.open("rb") as lines:
            header = loads(lines.readline())
            if header.get("format") != "pai-audit-export" or header.get("version") != 1:
                raise Broken("format", "this is not an export of version 1")
            self.trust(header["key"])
            newest = self.head(header["checkpoint"])
            older = [self.trying(Checkpoint, whole, self.key) for whole in [*header["checkpoints"], *self.kept]]
            signed = [newest, *(one for one in older if one is not None)]
            reading = Reading({one.size for one in signed})
            for line in lines:
                self.errors += [error.told for error in reading.take(line)]
                if len(self.errors) >= MOST_ERRORS:
                    return
        self.notices += reading.notices
        self.facts |= {"events": reading.count, "erased": reading.erased}
        wrong = min((one.size for one in signed if reading.roots.get(one.size, one.root) != one.root), default=None)
        self.trying(reading.end, newest, wrong)
        for one in signed[1:]:
            self.trying(self.compare, one, newest, reading.roots.get(one.size))

    def event(self, value: dict[str, Any]) -> dict[str, Any]:
        """Check that an event stands in a signed log; return its body."""
        newest, event = self.head(value["checkpoint"]), value["event"]
        leaf = leaf_of(bytes.fromhex(event["salt"]), canonical(event["body"]))
        path = [hash_of(one) for one in value["path"]]
        check_inclusion(leaf, event["index"], newest.size, path, newest.root)
        self.facts |= {"index": event["index"], "event": event["body"]}
        return dict(event["body"])

    def growth(self, value: dict[str, Any]) -> None:
        """Check that a log only grew between two checkpoints."""
        newest, old = self.head(value["new"]), Checkpoint(value["old"], self.key)
        self.compare(old, newest, None)
        path = [hash_of(one) for one in value["path"]]
        check_consistency(old.size, newest.size, path, old.root, newest.root)
        self.facts["since"] = old.size

    def receipt(self, value: dict[str, Any]) -> None:
        """Check a receipt: its signature, its place in the log, and the texts that were given."""
        note = Note(value["note"])
        if note.signed_by(self.key) is None:
            raise Broken("signature", f"the receipt is not signed by {self.key.text}")
        form, told = note.text.removesuffix("\n").split("\n")
        if form != "pai-receipt/1":
            raise Broken("format", f"this is no receipt of version 1: {form[:40]}")
        if self.event(value).get("receipt") != sha256(note.text.encode()).hex():
            raise Broken("receipt", "the log holds another receipt at this place", value["event"]["index"])
        statement, openings = loads(told), value.get("openings") or {}
        self.facts["receipt"] = statement
        if self.options.answer:
            self.text("answer", statement["answer"], openings.get("answer"), text_of(self.options.answer))
        if self.options.question:
            text = text_of(self.options.question)
            text = canonical(loads(text)) if statement["request_form"] == "messages" else b" ".join(text.split())
            self.text("question", statement["request"], openings.get("request"), text)
        for name in self.options.source:
            digest = hashlib.sha256(Path(name).read_bytes()).hexdigest().encode()
            pairs = zip(statement["sources"], openings.get("sources") or [], strict=False)
            if not any(binds(source["document_sha256"], key, digest) for source, key in pairs):
                self.errors.append(Broken("source", f"no source of the answer is the file {name}").told)

    def text(self, what: str, bound: str, key: str | None, text: bytes) -> None:
        """Note an error unless this is the text that the receipt is about."""
        if not key or not binds(bound, key, text):
            hint = "this is not the text that the receipt is about" if key else "the receipt lacks what opens it"
            self.errors.append(Broken(what, hint).told)

    def path(self, path: Path) -> None:
        """Check what lies at a path."""
        path = path / "log.jsonl" if path.is_dir() else path
        with path.open("rb") as file:
            export = b'"format":"pai-audit-export"' in file.readline(1 << 24)
        if export:
            self.log(path)
            return
        if not (text := path.read_text("utf-8")).startswith("{"):
            if self.given is None:
                raise Broken("key", "a checkpoint alone names no key: give --key")
            self.head(text)
            return
        value = loads(text)
        checks = {"pai-receipt": self.receipt, "pai-audit-inclusion": self.event, "pai-audit-consistency": self.growth}
        if value.get("format") not in checks or value.get("version") != 1:
            raise Broken("format", "this is no evidence that this program knows")
        self.trust(value["key"])
        checks[value["format"]](value)


def binds(bound: str, key: str, text: bytes) -> bool:
    """Return whether a keyed hash (HMAC-SHA256 with 32 bytes) is of this text."""
    raw = bytes.fromhex(key)
    return len(raw) == 32 and hmac.compare_digest(hmac.new(raw, text, "sha256").hexdigest(), bound)


def text_of(path: str) -> bytes:
    """Return a file's bytes. One newline at the end, as editors add, is not part of a text."""
    return Path(path).read_bytes().removesuffix(b"\n")


def main(arguments: list[str] | None = None) -> int:
    """Run; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    for name in ("key", "answer", "question"):
        parser.add_argument(f"--{name}", default="")
    for name in ("checkpoint", "witness", "source"):
        parser.add_argument(f"--{name}", action="append", default=[])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    try:
        check = Check(options)
        check.trying(check.path, options.path)
    except (OSError, Broken) as error:
        sys.stderr.write(f"verify: {error}\n")
        return 2
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        check.errors.append(Broken("format", f"the evidence is not as PAI writes it: {str(error)[:100]!r}").told)
    ok, facts = not check.errors, {"key": getattr(check.key, "text", None), **check.facts}
    word = "BROKEN" if not ok else "HOLDS" if check.given else "HOLDS TOGETHER, but you gave no --key"
    lines = [word]
    lines += [f"  {one['kind']} at {one['index']}: {one['hint']}" for one in check.errors]
    lines += [f"  notice at {one['index']}: {one['hint']}" for one in check.notices]
    lines += [f"  {name}: {value if isinstance(value, str) else json.dumps(value)}" for name, value in facts.items()]
    value = {"ok": ok, "key_given": check.given is not None, "errors": check.errors, "notices": check.notices, **facts}
    text = json.dumps(value, indent=2) if options.json else "\n".join(lines)
    sys.stdout.write("".join(c for c in text if c.isprintable() or c == "\n") + "\n")
    return 1 if not ok else 0 if check.given else 3


if __name__ == "__main__":
    sys.exit(main())
