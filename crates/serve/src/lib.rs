//! The party service and the clients of model owners and users.
