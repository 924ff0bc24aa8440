"""Numbered changes of the schema. A migration that was released is never edited; the next one mends it."""
