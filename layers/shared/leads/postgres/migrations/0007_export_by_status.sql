-- An export of the few leads that are WON must not read the many of their organisation that are not. NEW ones stay out:
-- they are most of what an export of them reads anyway, and all that an import writes, which so pays nothing for it.
CREATE INDEX dossier_by_status ON dossier (org_id, status, created_at, id) WHERE status <> 'NEW';
