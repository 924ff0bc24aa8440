"""The ground floor: tables, and every query there is. Imports nothing of ours; takes and returns
plain values and rows."""
