-- compat: 1
-- Which rooms are told what: `about` is a service, or empty for all that the namespace tells.
CREATE TABLE subscription (
  room text NOT NULL,
  namespace text NOT NULL,
  about text NOT NULL,
  by text NOT NULL,
  at bigint NOT NULL,
  PRIMARY KEY (room, namespace, about)
);

-- What was told, or is just being told, by its key: nothing is told twice.
CREATE TABLE news (
  namespace text NOT NULL,
  key text NOT NULL,
  at bigint NOT NULL,
  PRIMARY KEY (namespace, key)
);
CREATE INDEX news_at ON news (at);
