//! Fleets, walkers and radio from one seed; replays recorded air; the load generator.
