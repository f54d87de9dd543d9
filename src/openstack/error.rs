//! Why a request to OpenStack came to nothing.

/// What a caller has to tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The service could not be reached, or did not answer in time: whether it acted is not known.
    Silence,
    /// Keystone refused the credentials.
    Credentials,
    /// The credentials are good, and not for this.
    Forbidden,
    /// There is no such object.
    Absent,
    /// The object's present state does not allow it.
    Conflict,
    /// The service refused the request for another reason.
    Refused,
    /// The service failed: whether it acted is not known.
    Failed,
    /// The answer is not what the API promises, or the service is too old.
    Unsuitable,
}

/// A request that came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{doing}: {message}")]
pub(crate) struct ApiError {
    /// What pvm wanted, with the object's name.
    pub doing: String,
    /// The service's words, or why there are none.
    pub message: String,
    /// How callers have to treat it.
    pub cause: Cause,
}

impl ApiError {
    pub(super) fn new(doing: &str, cause: Cause, message: impl Into<String>) -> Self {
        Self { doing: doing.to_owned(), message: message.into(), cause }
    }

    /// Whether the service may have acted nevertheless.
    pub(crate) const fn may_have_acted(&self) -> bool {
        matches!(self.cause, Cause::Silence | Cause::Failed)
    }
}
