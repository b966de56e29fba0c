"""Our side of the client-server API: who our users are, how a message looks, how it is sent."""
