-- compat: 1
-- REPLACE removes the rows whose place it takes without asking a trigger of DELETE. So whatever
-- would take the place of an entry is left out, as it is when an entry is written a second time.
CREATE TRIGGER audit_is_not_replaced BEFORE INSERT ON audit
WHEN EXISTS (
  SELECT 1 FROM audit a WHERE a.id = NEW.id
    OR (a.call = NEW.call AND a.decision = NEW.decision AND a.outcome = NEW.outcome))
BEGIN
  SELECT RAISE(IGNORE);
END;
