"""People log in: by the authorization code of an OpenID provider, with PKCE, into a session that is kept here."""
