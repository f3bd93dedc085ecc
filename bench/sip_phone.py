"""A telephone for measurements: SIP and RTP over UDP on loopback, G.711 mu-law, keys as RFC 4733 events.

It does what one call needs and no more: no registration, no authentication, no retransmission (nothing is lost on
loopback). Its threads keep the time of RTP while the caller's loop is busy.
"""

from __future__ import annotations

import re
import secrets
import socket
import struct
import threading
import time
from collections import deque
from dataclasses import dataclass, field

from bench.g711 import decode, encode

HOST = "127.0.0.1"
RATE_HZ = 8000
FRAME = 160  # samples: 20 ms
PCMU, EVENTS = 0, 101  # RTP payload types
KEY_FRAMES, END_PACKETS = 5, 3  # a key is pressed for 100 ms; its end is sent three times (RFC 4733, 2.5.1.4)
KEYS = "0123456789*#ABCD"
WAIT_S = 15.0


@dataclass(frozen=True)
class Message:
    """A SIP message: its first line, its headers by lower-case name (the first of each), and its body."""

    first: str
    headers: dict[str, str]
    via: list[str]
    body: str

    @property
    def status(self) -> int:
        """Of a response; 0 for a request."""
        return int(self.first.split()[1]) if self.first.startswith("SIP/2.0") else 0

    @property
    def method(self) -> str:
        """Of a request, or of the request that a response answers."""
        return self.headers["cseq"].split()[1] if self.status else self.first.split()[0]


def read(data: bytes) -> Message:
    """Read a SIP message."""
    head, _, body = data.decode().partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    pairs = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    headers: dict[str, str] = {}
    for name, value in pairs:
        headers.setdefault({"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact"}.get(name, name), value)
    return Message(first, headers, [value for name, value in pairs if name in ("via", "v")], body)


@dataclass
class Heard:
    """20 ms of what the phone plays."""

    at_s: float  # monotonic seconds
    pcm: bytes  # int16, 8 kHz


@dataclass
class Call:
    """The dialogue: what both sides' requests must carry."""

    call_id: str
    local: str  # our From or To, with its tag
    remote: str  # the other side's
    target: str  # the URI of their Contact
    sequence: int = 1


@dataclass
class Phone:
    """One telephone with a number, and at most one call at a time."""

    number: str
    picks_up: threading.Event = field(default_factory=threading.Event)  # set it to answer a call that rings
    ringing: threading.Event = field(default_factory=threading.Event)
    answered: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)  # the other side has hung up, or refused
    heard: list[Heard] = field(default_factory=list)
    refused: str = ""  # the line with which a call was refused

    def __post_init__(self) -> None:
        self._sip, self._rtp = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        for each in (self._sip, self._rtp):
            each.bind((HOST, 0))
            each.settimeout(0.2)
        self.port: int = self._sip.getsockname()[1]
        self._call: Call | None = None
        self._server = (HOST, 0)
        self._media: tuple[str, int] | None = None
        self._to_say = bytearray()  # mu-law
        self._keys: deque[str] = deque()
        self._closed = threading.Event()
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._signal, self._send, self._listen)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End its threads."""
        self._closed.set()
        for thread in self._threads:
            thread.join(2)
        self._sip.close()
        self._rtp.close()

    # ------------------------------------------------------------ what a person does with it

    def dial(self, number: str, port: int) -> None:
        """Call a number at a SIP server on this port. `answered` or `ended` is set when that is decided."""
        self._server = (HOST, port)
        tag, target = secrets.token_hex(4), f"sip:{number}@{HOST}:{port}"
        me = f'"Anna" <sip:{self.number}@{HOST}:{self.port}>;tag={tag}'
        self._call = Call(secrets.token_hex(8), me, f"<{target}>", target)
        self._request("INVITE", self._sdp())

    def say(self, pcm: bytes) -> None:
        """Say int16 PCM of 8 kHz, in real time, behind what is being said."""
        self._to_say += encode(pcm)

    def press(self, keys: str) -> None:
        """Press these keys, one after another."""
        self._keys.extend(keys)

    def hang_up(self) -> None:
        """End the call."""
        self._request("BYE")
        self._media = None

    # ------------------------------------------------------------ signalling

    def _sdp(self) -> str:
        port = self._rtp.getsockname()[1]
        lines = [
            *("v=0", f"o=- 1 1 IN IP4 {HOST}", "s=-", f"c=IN IP4 {HOST}", "t=0 0"),
            f"m=audio {port} RTP/AVP {PCMU} {EVENTS}",
            *(f"a=rtpmap:{PCMU} PCMU/8000", f"a=rtpmap:{EVENTS} telephone-event/8000", f"a=fmtp:{EVENTS} 0-15"),
            *("a=ptime:20", "a=sendrecv"),
        ]
        return "\r\n".join([*lines, ""])

    def _request(self, method: str, body: str = "") -> None:
        call = self._call
        assert call is not None
        if method not in ("INVITE", "ACK"):
            call.sequence += 1
        lines = [
            f"{method} {call.target} SIP/2.0",
            f"Via: SIP/2.0/UDP {HOST}:{self.port};branch=z9hG4bK{secrets.token_hex(6)};rport",
            *("Max-Forwards: 70", f"From: {call.local}", f"To: {call.remote}", f"Call-ID: {call.call_id}"),
            *(f"CSeq: {call.sequence} {method}", f"Contact: <sip:{self.number}@{HOST}:{self.port}>"),
        ]
        self._transmit(lines, body)

    def _respond(self, request: Message, status: str, body: str = "") -> None:
        headers = request.headers
        local = self._call.local if self._call is not None else headers["to"]
        lines = [f"SIP/2.0 {status}", *(f"Via: {via}" for via in request.via), f"From: {headers['from']}"]
        lines += [f"To: {local}", f"Call-ID: {headers['call-id']}", f"CSeq: {headers['cseq']}"]
        self._transmit([*lines, f"Contact: <sip:{self.number}@{HOST}:{self.port}>"], body)

    def _transmit(self, lines: list[str], body: str) -> None:
        typed = ["Content-Type: application/sdp"] if body else []
        head = "\r\n".join([*lines, *typed, f"Content-Length: {len(body)}", "", ""])
        self._sip.sendto((head + body).encode(), self._server)

    def _signal(self) -> None:
        while not self._closed.is_set():
            try:
                data, address = self._sip.recvfrom(65536)
            except TimeoutError:
                continue
            if not data.strip():
                continue  # a keep-alive
            message = read(data)
            if message.status:
                self._on_response(message)
            else:
                self._server = address
                self._on_request(message)

    def _on_response(self, message: Message) -> None:
        call = self._call
        if call is None or message.method != "INVITE" or message.status < 180:
            return
        if message.status < 200:
            self.ringing.set()
            return
        call.remote = message.headers["to"]
        if message.status == 200:
            call.target = _uri(message.headers["contact"])
            self._connect(message.body)
            self._request("ACK")
            self.answered.set()
        else:
            self._request("ACK")
            self.refused = message.first
            self.ended.set()

    def _on_request(self, message: Message) -> None:
        if message.method == "INVITE" and self._call is None:
            local = f"{message.headers['to']};tag={secrets.token_hex(4)}"
            self._call = Call(
                message.headers["call-id"], local, message.headers["from"], _uri(message.headers["contact"])
            )
            self._respond(message, "180 Ringing")
            self.ringing.set()
            threading.Thread(target=self._pick_up, args=(message,), daemon=True).start()
        elif message.method in ("BYE", "CANCEL"):
            self._respond(message, "200 OK")
            self._media = None
            self.ended.set()
        elif message.method not in ("ACK", "INVITE"):
            self._respond(message, "200 OK")

    def _pick_up(self, invite: Message) -> None:
        while not self.picks_up.wait(0.1):
            if self._closed.is_set():
                return
        self._connect(invite.body)
        self._respond(invite, "200 OK", self._sdp())
        self.answered.set()

    def _connect(self, sdp: str) -> None:
        address, port = re.search(r"c=IN IP4 (\S+)", sdp), re.search(r"m=audio (\d+)", sdp)
        if address is None or port is None:
            raise ValueError(f"no address for audio in {sdp!r}")
        self._media = (address[1], int(port[1]))

    # ------------------------------------------------------------ media

    def _send(self) -> None:
        sequence, stamp, due_s = 0, 0, time.monotonic()
        source = secrets.token_bytes(4)
        key, pressed = "", 0  # and for how many frames

        def packet(kind: int, payload: bytes, at: int, marker: bool = False) -> None:
            nonlocal sequence
            sequence = (sequence + 1) & 0xFFFF
            if self._media is not None:
                head = struct.pack("!BBHI", 0x80, kind | (0x80 if marker else 0), sequence, at) + source
                self._rtp.sendto(head + payload, self._media)

        while not self._closed.is_set():
            due_s = max(due_s + 0.02, time.monotonic() - 0.2)
            time.sleep(max(0.0, due_s - time.monotonic()))
            stamp = (stamp + FRAME) & 0xFFFFFFFF
            if not key and self._keys and self._media is not None:
                key, pressed = self._keys.popleft(), 0
            if key and key != "pause":
                pressed += 1
                lasted, code = pressed * FRAME, KEYS.index(key)
                began = (stamp - lasted + FRAME) & 0xFFFFFFFF
                over = pressed == KEY_FRAMES
                for _ in range(END_PACKETS if over else 1):
                    packet(EVENTS, struct.pack("!BBH", code, 0x8A if over else 0x0A, lasted), began, pressed == 1)
                key, pressed = ("pause", 0) if over else (key, pressed)
                continue
            if key == "pause":
                pressed += 1
                key = "" if pressed == KEY_FRAMES else key
            piece = bytes(self._to_say[:FRAME])
            del self._to_say[:FRAME]
            packet(PCMU, piece.ljust(FRAME, b"\xff"), stamp)

    def _listen(self) -> None:
        while not self._closed.is_set():
            try:
                data, _ = self._rtp.recvfrom(2048)
            except TimeoutError:
                continue
            if len(data) > 12 and data[1] & 0x7F == PCMU:
                self.heard.append(Heard(time.monotonic(), decode(data[12:])))


def _uri(contact: str) -> str:
    """The address in a Contact header."""
    found = re.search(r"<([^>]+)>", contact)
    return found[1] if found else contact
