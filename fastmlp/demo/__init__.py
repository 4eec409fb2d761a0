"""A page to draw digits on, and what serves it.

net_view.py says what a net sees in a drawing, race.py trains several nets against the clock, and workbench.py holds
what the page shows and drives. app.py is its interface for the browser, guard.py says who may use that, server.py
serves it, and pages/ holds the page itself.
"""
