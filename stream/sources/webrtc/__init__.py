"""A publisher by WebRTC, from its offer to its decoded frames; media and encryption are aiortc's.

``offer``, ``negotiation``, ``answer`` and ``trickle`` are the signalling (WHIP, RFC 9725), ``peer`` is one connection.
This server changes aiortc and aioice in ``rtp_fast_path`` for one connection and, for the whole process, in ``ports``
and the modules that ``adapt`` lists.
"""
