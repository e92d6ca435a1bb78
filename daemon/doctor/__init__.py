"""``antiphon doctor``: one check for each thing that Antiphon uses, by job, and what to do where it is not right."""
