-- compat: 1
-- The tools that a turn's answer rests on, as a JSON list: who may not use them does not get it
-- as history. NULL: written by an older version, which did not note it.
ALTER TABLE history ADD COLUMN rests_on text;
-- Whose alone it is; NULL: everybody's in that conversation.
ALTER TABLE history ADD COLUMN only_for text;
