//! What assistants are told, against their published schemas and by example.

mod alexa;
mod alexa_corpus;
mod devices;
mod google;
mod google_corpus;
mod hostile;
mod schema;
