"""The facts' cases: one folder a fact, one JSON file a case, one test that walks them all."""
