"""DAWs, controllers, pages and terminals that Antiphon meets, one folder each."""
