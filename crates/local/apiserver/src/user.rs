//! Who asks.

/// An authenticated user. It travels as an extension of the request, also to aggregated APIs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// The name.
    pub name: String,
    /// The unique id, where the way of authentication knows one.
    pub uid: String,
    /// The groups.
    pub groups: Vec<String>,
    /// Whatever else is known, by key.
    pub extra: Vec<(String, Vec<String>)>,
}

/// The group that may do everything. Source: RBAC's `SystemPrivilegedGroup`.
pub const MASTERS: &str = "system:masters";

/// The group of everybody who has proved to be somebody.
pub const AUTHENTICATED: &str = "system:authenticated";

/// The group of everybody else.
pub const UNAUTHENTICATED: &str = "system:unauthenticated";

impl User {
    /// The administrator of a local cluster: its token's holder, and whoever calls in process.
    pub fn admin() -> Self {
        User {
            name: "flyball:admin".to_owned(),
            groups: vec![MASTERS.to_owned(), AUTHENTICATED.to_owned()],
            ..User::default()
        }
    }

    /// Somebody without credentials.
    pub fn anonymous() -> Self {
        User {
            name: "system:anonymous".to_owned(),
            groups: vec![UNAUTHENTICATED.to_owned()],
            ..User::default()
        }
    }

    /// Whether the user is in a group.
    pub fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|known| known == group)
    }
}
