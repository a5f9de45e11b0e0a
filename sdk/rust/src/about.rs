//! What a plugin says of itself.

/// Which events a strategy wants. The others never reach it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hooks {
    /// [`crate::Strategy::on_bar`].
    pub bars: bool,
    /// [`crate::Strategy::on_tick`].
    pub ticks: bool,
    /// [`crate::Strategy::on_timer`].
    pub timer: bool,
    /// Closed bars it wants to see before its first event, at most 10,000.
    pub history_bars: u32,
}

impl Hooks {
    /// Closed bars and nothing else.
    pub const BARS: Self = Self { bars: true, ticks: false, timer: false, history_bars: 0 };
    /// Quotes and nothing else.
    pub const TICKS: Self = Self { bars: false, ticks: true, timer: false, history_bars: 0 };

    /// The same with this many bars of history.
    #[must_use]
    pub const fn with_history(self, bars: u32) -> Self {
        Self { history_bars: bars, ..self }
    }
}

/// What a plugin is, for the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// Lower-case letters, digits and hyphens, at most 64.
    pub name: &'static str,
    /// Semantic version.
    pub version: &'static str,
    /// One sentence for people.
    pub summary: &'static str,
    /// JSON Schema of the settings: one object of plain fields.
    pub settings_schema: &'static str,
    /// The events it wants under any settings; a rule has none.
    pub hooks: Hooks,
}

impl About {
    /// A strategy that sees closed bars; [`About::with_hooks`] asks for others.
    #[must_use]
    pub const fn strategy(
        name: &'static str,
        version: &'static str,
        summary: &'static str,
        settings_schema: &'static str,
    ) -> Self {
        Self { name, version, summary, settings_schema, hooks: Hooks::BARS }
    }

    /// A risk rule.
    #[must_use]
    pub const fn rule(
        name: &'static str,
        version: &'static str,
        summary: &'static str,
        settings_schema: &'static str,
    ) -> Self {
        let hooks = Hooks { bars: false, ..Hooks::BARS };
        Self { name, version, summary, settings_schema, hooks }
    }

    /// The same with other hooks.
    #[must_use]
    pub const fn with_hooks(self, hooks: Hooks) -> Self {
        Self { hooks, ..self }
    }
}
