//! What every loop shares: decisions, reasons, evidence, budgets, time.
