"""What people see of a comparison: tables (terminal, Markdown, CSV), plots, and a page that holds all of it.

Everything here is made from the results alone, so a saved file (`fastmlp.comparison.results_file`) gives the same
report again.
"""

from fastmlp.comparison.report.page import write_report
from fastmlp.comparison.report.tables import csv_text, markdown, print_tables

__all__ = ["csv_text", "markdown", "print_tables", "write_report"]
