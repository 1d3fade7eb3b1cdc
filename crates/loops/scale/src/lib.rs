//! The scale loop: metrics APIs from Prometheus, and the HPA engine.
