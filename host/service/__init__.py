# SPDX-License-Identifier: Apache-2.0
"""The driver's functions for other languages and for pages: JSON over WebSocket and HTTP.

It listens on this machine's own addresses only, and only while somebody runs it. A call is one
object, `{"function": "iReadCardBas", "iType": 3}`, with an `"id"` of the caller's if it likes; the
answer is `{"id": ..., "function": "iReadCardBas", "code": 0, "pOutInfo": "..."}`, or a negative
code with its sentence.

- `GET /` the page that shows it working; `GET /health` that it runs. Nothing in them is secret.
- `POST /call` one call as application/json, `Authorization: Bearer TOKEN`. The functions in steps
  (`..._HSM_StepN`) are not for HTTP: their steps belong to one connection.
- `GET /ws` a WebSocket: any number of calls, answered in their order. The token comes in the
  Authorization header, as the protocol `token.TOKEN` beside `sscard.v1`, or as the first message,
  `{"token": "..."}`, which is answered by `{"ready": true}`.
- A PIN is asked for on the caller's WebSocket: `{"ask": "PIN", "prompt": "..."}` with the id of
  the call, answered by `{"pin": "......"}` or `{"cancel": true}`; or on the service's own PIN pad,
  which then is the only place. Over HTTP there is only the pad.

One reader is one resource. Calls of all connections wait for each other in one line; who is
between two steps keeps the reader until the last of them, or for so many seconds.

The only room with `async` in it: a socket that waits must not keep another from being answered.
aiohttp is imported in `web` and `conversation` alone. Choices without a source: profile choices
`service ...`.
"""
