"""The server: it beeps for every word. Put a real voice in its place."""

from __future__ import annotations

import math
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from struct import pack

RATE = 16_000
TONE = b"".join(pack("<h", round(8000 * math.sin(2 * math.pi * 440 * i / RATE))) for i in range(RATE // 5))


class Beeper(BaseHTTPRequestHandler):
    """Answers a text with a beep of 200 ms and a pause of 50 ms for each word."""

    def do_POST(self) -> None:
        """The body is the text; the answer is PCM."""
        words = self.rfile.read(int(self.headers["Content-Length"])).split()
        self.send_response(200)
        self.end_headers()
        self.wfile.write((TONE + bytes(RATE // 20 * 2)) * len(words))


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Beeper).serve_forever()
