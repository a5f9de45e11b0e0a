//! Every finding the gate can make: a stable code, how grave it is, and what it teaches.

use core::{fmt, str::FromStr};
use serde::{Deserialize, Serialize};

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The component is not accepted.
    Fatal,
    /// Accepted, and likely to disappoint whoever runs it.
    Warning,
    /// Accepted; it could be better.
    Advice,
}

impl Severity {
    /// A stable lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fatal => "fatal",
            Self::Warning => "warning",
            Self::Advice => "advice",
        }
    }
}

macro_rules! codes {
    ($($name:ident, $code:literal, $severity:ident, $what:literal, $why:literal, $mend:literal;)*) => {
        /// What can be found. Programs may rely on the code, never on texts.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $what] $name,)*
        }

        impl Code {
            /// All of them, for documentation and tests.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The stable text.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// How grave it is.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)* }
            }

            /// What is so, in one sentence.
            #[must_use]
            pub const fn what(self) -> &'static str {
                match self { $(Self::$name => $what,)* }
            }

            /// Why it matters.
            #[must_use]
            pub const fn why(self) -> &'static str {
                match self { $(Self::$name => $why,)* }
            }

            /// How the author mends it.
            #[must_use]
            pub const fn mend(self) -> &'static str {
                match self { $(Self::$name => $mend,)* }
            }
        }
    };
}

codes! {
    TooLarge, "too-large", Fatal,
        "The component is larger than a plugin may be.",
        "Every node keeps plugins in memory, and a large one takes long to compile.",
        "Build it with `marque plugin build`, which optimises and strips it; leave out data that could be settings.";
    NotAComponent, "not-a-component", Fatal,
        "The file is not a WebAssembly component.",
        "Only a component says what it imports, so only a component can be checked.",
        "Upload the .wasm that `marque plugin build` writes: no text form, no core module, nothing precompiled.";
    Invalid, "invalid", Fatal,
        "The component does not pass full validation.",
        "A file that breaks the rules of WebAssembly is damaged, or made to find faults of a compiler.",
        "Build it again, and compare the digest after the upload with the one that the build printed.";
    Feature, "feature", Fatal,
        "The component uses a WebAssembly proposal that plugins do not get.",
        "Threads, relaxed SIMD, exceptions and garbage collection can differ from machine to machine, or widen what a fault could reach.",
        "Build for wasm32-unknown-unknown without extra target features; `marque plugin build` does so.";
    ForeignImport, "foreign-import", Fatal,
        "The component imports something that plugins do not get.",
        "A plugin has no clock, file, network or randomness of its own: all it knows comes in through marque:plugin.",
        "Remove what needs it (often a dependency that asks for the time or for random numbers), and ask the host instead: market time and seeded random numbers.";
    ContractVersion, "contract-version", Fatal,
        "The component is built for a version of the contract that this platform does not offer.",
        "Within 1.x an older plugin runs on a newer platform, never the other way round.",
        "Build against the SDK of this platform: `marque plugin new` writes it beside your crate.";
    NoWorld, "no-world", Fatal,
        "The component is neither a strategy nor a risk rule.",
        "The platform calls it through one of two sets of functions, and finds neither whole.",
        "Call export_strategy! or export_rule! once in the crate, with the type that implements the trait.";
    TooManyFunctions, "too-many-functions", Fatal,
        "The component has more functions than a plugin may have.",
        "The time and memory of compiling grow with them, on every node.",
        "Leave out dependencies that are not used, and build with `marque plugin build`.";
    FunctionTooLarge, "function-too-large", Fatal,
        "A function is larger, or has more local variables, than a function may have.",
        "Compilers need more than linear time for large functions: such a function can hold a node up.",
        "Split generated code or large matches into several functions, or turn them into a table.";
    TooManyTables, "table-too-large", Fatal,
        "The component's tables are larger than a plugin's may be.",
        "Room for tables is set aside for every instance.",
        "Tables hold functions that are called by address: use fewer trait objects and closures.";
    MemoryTooLarge, "memory-too-large", Fatal,
        "The component asks for more memory at its start than a plugin gets at all.",
        "It could never be started.",
        "Make static arrays smaller, or keep history in a ring of the length that is needed.";
    DataTooLarge, "data-too-large", Fatal,
        "The component carries more constant data than a plugin may.",
        "Data is copied for every instance.",
        "Compute tables at the start, or take them as settings.";
    TooManyModules, "too-many-modules", Fatal,
        "The component is made of more modules than a plugin may be.",
        "Each is instantiated for every deployment.",
        "Build one crate into one component with `marque plugin build`.";
    Compile, "compile-limits", Fatal,
        "The component could not be examined within the time and memory that the gate allows.",
        "The process that examined it was ended, so nothing of it runs on the platform.",
        "Build with `marque plugin build` and make the crate smaller; a function made by a macro or generator is the usual cause.";
    WrongShape, "wrong-shape", Fatal,
        "The component's functions do not have the contract's types.",
        "Calls could not be made.",
        "Build against the SDK that `marque plugin new` writes, and do not change its `wit` folder.";
    Silent, "silent", Fatal,
        "The plugin failed when it was asked to describe itself.",
        "Nothing is known of it, so nobody could choose it.",
        "Return constants from `about`; it must not panic and needs no settings.";
    Description, "description", Fatal,
        "What the plugin says of itself cannot be used.",
        "Name, version and summary are what people and programs choose by.",
        "Correct what `about` returns: a name of small letters, digits and hyphens, a semantic version, one sentence.";
    Schema, "schema", Fatal,
        "The settings schema cannot be shown as a form.",
        "Traders set plugins up in a form; a schema that a form cannot show, or that can run for ever, is refused.",
        "Use one closed object of plain fields (string, integer, number, boolean) with title, description, default and bounds.";
    DoesNotStart, "does-not-start", Fatal,
        "The plugin does not start with the defaults of its own schema.",
        "What cannot be started cannot be tried, and a trader's first click would fail.",
        "Give every required field a default that works together with the others.";
    Fault, "fault", Fatal,
        "The plugin failed while it was tried on the gate's market.",
        "Live, three such faults quarantine a strategy, and a rule that fails denies every order.",
        "Run `marque plugin check` and read the log above the fault; guard against division by zero and empty histories.";
    Nondeterministic, "nondeterministic", Fatal,
        "The same market gave different answers the second time.",
        "A verdict must be replayable years later, so the same events must give the same decisions.",
        "Take randomness from the host's seeded numbers only, and do not depend on addresses or the order of hash maps.";
    LookAhead, "look-ahead", Fatal,
        "The strategy decides differently when it can see what comes later.",
        "Its backtest would earn money that it can never earn live.",
        "Decide from the bar or quote that is being handled and from what came before; leave the run to the SDK's loop.";
    StateLost, "state-lost", Fatal,
        "Restored from its own snapshot, the strategy goes on differently.",
        "After a restart, a failover or an upgrade it would trade otherwise than without.",
        "Keep all state in the type that is serialised: no statics, no thread-locals, no fields with #[serde(skip)].";
    SnapshotActs, "snapshot-acts", Fatal,
        "Asked for its state, the strategy goes on differently.",
        "When it is asked is the platform's affair: live, in a backtest and before an upgrade it would trade otherwise.",
        "Let `snapshot` read and nothing else: it must not count, trim or clear what a later decision depends on.";
    Impure, "impure", Fatal,
        "The rule's answer depends on what it was asked before.",
        "A rule is a pure function of its settings and the account: only then can a verdict be checked by anybody.",
        "Keep nothing between calls; ask the host for the account's days and executions instead.";
    FuelNear, "fuel-near", Warning,
        "A hook came close to the instructions it gets for one event.",
        "A market that is busier than the gate's would exceed them, and the strategy would be stopped.",
        "Update indicators instead of computing them anew over the whole history at each event.";
    FailsElsewhere, "fails-elsewhere", Warning,
        "The plugin failed with settings that its schema accepts.",
        "Whoever sets it up so has a strategy that is quarantined, or a rule that denies every order.",
        "Refuse such settings when it starts, with words that say why, or narrow the bounds of the schema.";
    NeverActed, "never-acted", Warning,
        "The strategy wished for nothing on the gate's market with its defaults.",
        "Determinism and look-ahead could only be seen of a strategy that waits.",
        "Choose defaults with which it acts on three thousand minutes of an ordinary market.";
    NoDefault, "no-default", Warning,
        "Required settings have no default.",
        "The form shows them empty, and the gate had to guess.",
        "Give each a default in the schema.";
    Untitled, "untitled", Advice,
        "Settings have no title or no description.",
        "The form shows the field's bare name.",
        "Add `title` and `description` to each field.";
    Unbounded, "unbounded", Advice,
        "Numbers have no lower or no upper bound.",
        "A slip of the keyboard becomes an order.",
        "Add `minimum` or `exclusiveMinimum`, and `maximum`.";
    NotAllTried, "not-all-tried", Advice,
        "The plugin used up what the gate has for trials with other settings.",
        "Whether it decides alike with all of them was not seen.",
        "Let events cost less: update what is known instead of computing it anew.";
    NotStripped, "not-stripped", Advice,
        "A large part of the file is not code.",
        "Names and debugging information are loaded by nobody.",
        "Build with `marque plugin build`, which strips it.";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

/// A code that this version of the gate does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the gate has no finding {0:?}")]
pub struct UnknownCode(pub String);

impl FromStr for Code {
    type Err = UnknownCode;
    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        Self::ALL.iter().copied().find(|code| code.code() == text).ok_or_else(|| UnknownCode(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_its_own_and_teaches() {
        for code in Code::ALL {
            assert_eq!(code.code().parse(), Ok(*code));
            for text in [code.what(), code.why(), code.mend()] {
                assert!(text.ends_with('.') && text.len() > 20, "{code}: {text}");
            }
        }
    }
}
