"""A publisher by WebRTC, from its offer to its decoded frames; media and encryption are aiortc's.

``offer``, ``negotiation``, ``answer`` and ``trickle`` are the signalling (WHIP, RFC 9725), ``peer`` is one connection.
What this server does otherwise than aiortc and aioice is ``direct`` for one connection and, for the whole process, what
``adapt`` names and ``ports``.
"""
