"""Building blocks that pages share: custom components, tables, cards, notices."""
