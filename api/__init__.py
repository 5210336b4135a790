"""The same answers for every program: services that the desk's pages and the API's routes call alike."""
