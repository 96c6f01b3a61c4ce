"""HTTP requests and responses: sign-in, parameters, problem documents. Only the API functions use it."""
