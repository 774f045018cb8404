"""One call of an application, told what passes between it and the server: what every protocol has in common.

A state machine that is fed, and gives the violations that it sees. Awaits nothing, reads nothing, keeps no reference to an event. Whoever
feeds it says when receive() is called where he can (`receiving`); a trace cannot. Knows no protocol: those are its subclasses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from .value import between, faults, holds, plain, shown, type_name
from .violation import Violation

_CANCELLED = ("asyncio.exceptions.CancelledError", "GeneratorExit")


@dataclass(frozen=True)
class Raised:
    """An exception, live or from a trace: the name of its type with its module (unless that is builtins), and its text."""

    type: str
    message: str
    error: BaseException | None = None

    @classmethod
    def of(cls, error: BaseException) -> Raised:
        kind = type(error)
        name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
        try:
            message = str(error)
        except Exception:  # the app's own code
            message = ""
        return cls(name, message, error)

    @property
    def cancelled(self) -> bool:
        return self.type in _CANCELLED

    def is_key_error(self, key: str) -> bool:
        return self.type == "KeyError" and self.message == repr(key)

    def lets_through(self, other: Raised) -> bool:
        """Whether it is the other one, or a group that may hold it."""
        return (self.type, self.message) == (other.type, other.message) or self.type.endswith("ExceptionGroup")


Events = Mapping[str, Callable[[Any, dict[Any, Any]], None]]


class Call:
    """A call with a scope of a protocol that nobody knows, and the base of those with one that is known."""

    events: ClassVar[Events] = {}  # the types of event that the protocol lets the app send, and what checks each
    keys: ClassVar[Mapping[str, frozenset[str]]] = {}  # the keys that each has, and that its check looks at
    offers: ClassVar[Mapping[str, str]] = {}  # types of event that are an extension's, and that extension's name
    optional: ClassVar[Mapping[str, str]] = {}  # keys of the scope that may be missing, and the rule that says so
    optional_in: ClassVar[Mapping[str, Mapping[str, str]]] = {}  # the same for the types of event that are received
    disconnect: ClassVar[str] = ""  # the event that says that the client is gone
    after_disconnect: ClassVar[tuple[str, str, str]] = ("", "", "")  # rules for receive() after it, send() after it, and being prepared

    def __init__(self, scope: dict[str, Any]) -> None:
        self.protocol = scope.get("type")
        self.missing = {key for key in self.optional if scope.get(key) is None}
        extensions = scope.get("extensions")
        self.extensions = frozenset(extensions) if isinstance(extensions, dict) else frozenset()
        self.version = self._version(scope)
        self.disconnected = False
        self.refused: Raised | None = None  # what send() raised
        self.phase = "begun"  # each protocol's own, but for this first one
        self._phase_before = self.phase  # the last send, which goes when the server refuses it
        self._sending = self._receiving = self._passed = 0
        self._received: dict[Any, Any] = {}  # the last event's keys
        self._cancelled_receive = False
        self._told: set[tuple[str, str]] = set()
        self._found: list[Violation] = []
        self._where = "at its call"

    @staticmethod
    def _version(scope: dict[str, Any]) -> tuple[int, ...] | None:
        """The version of the protocol's specification that the server speaks; () where it does not say, None where it says nothing at
        all (it is no ASGI server then, but a test's stand-in)."""
        asgi = scope.get("asgi")
        if not isinstance(asgi, dict):
            return None
        try:
            return tuple(int(part) for part in str(asgi.get("spec_version") or "").split(".") if part)
        except ValueError:
            return None

    def _tell(self, rule: str, what: str, detail: str = "") -> None:
        """Once in a call."""
        if (rule, what) not in self._told:
            self._told.add((rule, what))
            self._found.append(Violation(rule, what, detail, self._where))

    def _taken(self) -> Sequence[Violation]:
        if not self._found:
            return ()
        found, self._found = self._found, []
        return found

    # --- receive ------------------------------------------------------------------------------------------------------------------

    def receiving(self) -> Sequence[Violation]:
        """The application calls receive()."""
        self._where = f"receive() after event {self._passed}"
        self._asks()
        if self._receiving:
            self._tell("GEN-RECV-03", "receive() is called while another call of it waits")
        self._receiving += 1
        return self._taken()

    def _asks(self) -> None:
        if self.disconnected:
            self._tell(self.after_disconnect[0], f"receive() is called after {self.disconnect}")
        elif self._cancelled_receive and not self.ended:
            self._tell("GEN-RECV-04", "receive() is cancelled, and called again")

    def received(self, event: Any) -> Sequence[Violation]:
        """receive() came back."""
        self._receiving = max(0, self._receiving - 1)
        self._asks()
        self._passed += 1
        if isinstance(event, dict):
            kind = event.get("type")
            self._where = f"event {self._passed}, {kind}"
            self._received = dict.fromkeys(event) | {"type": kind}
            self.disconnected |= kind == self.disconnect
            self._on_received(kind)
        return self._taken()

    def receive_raised(self, raised: Raised) -> Sequence[Violation]:
        self._receiving = max(0, self._receiving - 1)
        self._cancelled_receive |= raised.cancelled
        return self._taken()

    # --- send ---------------------------------------------------------------------------------------------------------------------

    def sending(self, event: Any) -> Sequence[Violation]:
        """The application calls send(): judged before the server sees it."""
        self._passed += 1
        self._phase_before = self.phase
        kind = event.get("type") if isinstance(event, dict) else None
        self._where = f"event {self._passed}, {kind}" if isinstance(kind, str) else f"event {self._passed}"
        if self._sending:
            self._tell("GEN-SEND-03", "send() is called while another call of it waits")
        self._sending += 1
        if not isinstance(event, dict):
            self._tell("GEN-EVENT-01", "what is sent is no dict", type_name(event))
        elif not holds(kind, str):
            self._tell("GEN-EVENT-01", "an event has no type, or one that is no str", shown(kind))
        else:
            self._event(plain(kind), event)
        return self._taken()

    def _event(self, kind: Any, event: dict[Any, Any]) -> None:
        if between(event["type"], str):
            self._tell("GEN-SCOPE-09", "the type of an event is a subclass of str", type_name(event["type"]))
        known = self.keys.get(kind, frozenset(("type",)))
        if not event.keys() <= known:
            for key in event.keys() - known:
                if not holds(key, str):
                    self._tell("GEN-SCOPE-08", "a key of an event is no str", shown(key))
                for rule, what, detail in faults(event[key], shown(key)):
                    self._tell(rule, what, detail)
        check = self.events.get(kind)
        extension = self.offers.get(kind)
        if extension is not None and extension not in self.extensions:
            self._unoffered(kind, event)
        elif check is not None:
            check(self, event)
        elif kind not in self.extensions:
            if kind.partition(".")[0] != self.protocol:
                self._tell("GEN-EVENT-02", "an event of another protocol is sent", shown(kind))
            else:
                self._tell("GEN-EVENT-05", "an event is sent that the protocol does not have", shown(kind))

    def _unoffered(self, kind: str, event: dict[Any, Any]) -> None:
        self._tell("GEN-EXT-04", "an extension's event is sent where the scope does not offer the extension", kind)

    def _keyed(self, event: dict[Any, Any], key: str, kind: type, rule: str, what: str, *, or_none: bool = False) -> bool:
        """Whether the key is there and of its type; told where it is of another."""
        if key not in event:
            return False
        value = event[key]
        if value is None and or_none:
            return False
        if not holds(value, kind):
            self._tell(rule, what, f"{shown(value)}, {type_name(value)}")
            return False
        if kind in (str, bytes) and between(value, kind):
            self._tell("GEN-SCOPE-09", f"{key} is a subclass of {kind.__name__}", type_name(value))
        return True

    def sent(self, result: Any = None) -> Sequence[Violation]:
        """send() came back."""
        self._sending = max(0, self._sending - 1)
        if self.disconnected and self._phase_before != "complete":
            self._tell(self.after_disconnect[1], f"an event is sent after {self.disconnect}, and send() does not raise here")
        return self._taken()

    def send_raised(self, raised: Raised) -> Sequence[Violation]:
        self._sending = max(0, self._sending - 1)
        self.phase = self._phase_before
        if self.refused is None or not raised.cancelled:
            self.refused = raised
        return self._taken()

    # --- the end ------------------------------------------------------------------------------------------------------------------

    def returned(self, value: Any) -> Sequence[Violation]:
        self._where = "at its return"
        if value is not None:
            self._tell("GEN-APP-08", "the application returns a value", f"{shown(value)}, {type_name(value)}")
        if not self.disconnected and self.refused is None:
            self._on_returned()
        return self._taken()

    def raised(self, raised: Raised) -> Sequence[Violation]:
        self._where = "at its end"
        if raised.cancelled:
            return self._taken()
        absent = [rule for key, rule in self._absent().items() if raised.is_key_error(key)]
        if absent:
            self._tell(absent[0], "a key is taken for granted that may be missing, and is", f"KeyError {raised.message}")
        elif self.refused is not None:
            if self._is_lost(self.refused) and not raised.lets_through(self.refused):
                detail = f"{raised.type}, after send() raised {self.refused.type}"
                self._tell(self.after_disconnect[2], "another exception escapes when send() raises for a client that is gone", detail)
        elif not self.disconnected:
            self._on_raised(raised)
        return self._taken()

    def _absent(self) -> dict[str, str]:
        """The keys that were not there in the scope, and in the last event, and the rules that let them be missing."""
        event = self.optional_in.get(self._received.get("type") or "", {})
        found = {key: rule for key, rule in event.items() if key not in self._received}
        return found | {key: self.optional[key] for key in self.missing}

    def _is_lost(self, raised: Raised) -> bool:
        return bool(self.after_disconnect[2]) and not raised.cancelled and (self.disconnected or isinstance(raised.error, OSError))

    # --- what a protocol adds -----------------------------------------------------------------------------------------------------

    @property
    def ended(self) -> bool:
        """Whether nothing more is due from the application."""
        return self.phase == "complete"

    def _on_received(self, kind: Any) -> None:
        pass

    def _on_returned(self) -> None:
        self._tell("GEN-PROTO-01", "the application returns from a scope of a type that it does not know", shown(self.protocol))

    def _on_raised(self, raised: Raised) -> None:
        pass
