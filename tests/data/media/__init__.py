"""The corpus of files: nothing is kept, everything is drawn, played and filmed anew by these modules."""
