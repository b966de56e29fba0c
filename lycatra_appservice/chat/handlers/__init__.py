"""One file a kind of trigger; each turns a stored event into what goes into the room."""
