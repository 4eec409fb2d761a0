"""What people see of a comparison: tables (terminal, Markdown, CSV), plots, and a page that holds all of it.

Everything here is made from the results alone (`fastmlp.results`), so that a saved file gives the same report again.
"""

from fastmlp.report.page import write_report
from fastmlp.report.tables import csv_text, markdown, print_tables

__all__ = ["csv_text", "markdown", "print_tables", "write_report"]
