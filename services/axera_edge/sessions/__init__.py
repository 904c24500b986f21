"""What runs compiled graphs, behind one protocol; each library has one importing module here."""
