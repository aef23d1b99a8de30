//! The service of three operators: owners push models once, users who never see them ask.

pub(crate) mod books;
pub(crate) mod desk;
pub(crate) mod names;
pub(crate) mod parts;
pub(crate) mod problem;
pub(crate) mod seal;
#[cfg(test)]
pub(crate) mod testing;
