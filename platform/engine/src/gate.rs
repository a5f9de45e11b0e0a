//! The risk gate.

use marque_domain::order::Order;

/// An order that passed every limit and rule. Only the gate can make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approved(Order);

impl Approved {
    /// The order.
    #[must_use]
    pub const fn order(&self) -> &Order {
        &self.0
    }
}
