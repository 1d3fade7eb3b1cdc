//! Where numbers come from: scraping, Prometheus servers, the Prometheus HTTP API.
