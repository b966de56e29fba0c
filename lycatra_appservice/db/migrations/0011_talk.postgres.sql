-- compat: 1
-- `room`: where it was said, whichever conversation of it; NULL: written by an older version.
-- `went_on_from`: the turn whose answer the question replied to.
ALTER TABLE history ADD COLUMN room text;
ALTER TABLE history ADD COLUMN went_on_from text;
UPDATE history SET room = split_part(conversation, '|', 1);
CREATE INDEX history_room ON history (room, id);

-- Messages that a question brought along, quoted or looked at: whoever takes one of them back
-- takes it out of what was made of it, too.
CREATE TABLE brought (
  event_id text NOT NULL,
  trigger_id text NOT NULL,
  at bigint NOT NULL,
  PRIMARY KEY (event_id, trigger_id)
);
CREATE INDEX brought_at ON brought (at);
