"""The API for other programs, and the services that its routes and the desk's pages share."""
