//! What a vendor looks after: products with their versions, files and policies, and everybody's licences.

use super::{
    Banner, Page, Pager,
    component::{Field, FieldKind},
    licences::{LicenceLine, VersionLine},
};
use serde::Serialize;

/// A product in the vendor's list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProductLine {
    /// Its page.
    pub href: String,
    /// Its name.
    pub name: String,
    /// What the EA calls itself.
    pub code: String,
    /// The plans that grant it.
    pub plans: String,
    /// The newest version.
    pub version: String,
}

/// What is known of a product before its form is filled in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProductFilled {
    /// Its name.
    pub name: String,
    /// What it does.
    pub summary: String,
    /// Codes of the plans that are ticked.
    pub plans: Vec<String>,
    /// The description of its settings, as text.
    pub settings: String,
}

/// The form of a product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProductForm {
    /// What it is called and does.
    pub fields: Vec<Field>,
    /// A box for each plan of the brand.
    pub plans: Vec<Field>,
    /// What traders can set.
    pub settings: Field,
    /// An example of it.
    pub example: &'static str,
}

const SETTINGS_HINT: &str = "Empty: nothing. Otherwise a JSON Schema: each setting with its kind (number, integer, string \
    or boolean) and, as you like, its title, limits and default. The EA asks for the settings by these names; traders get \
    a form of them.";
const FILE_HINT: &str = "A program (.ex4, .ex5), source or inputs as text (.mq4, .mq5, .mqh, .set), a manual (.pdf) or \
    several of these (.zip).";
const SEAL_LABEL: &str = "Seal it where it is kept, so that a stolen disk or back-up shows nothing of it";

/// What a description of settings looks like.
const SETTINGS_EXAMPLE: &str = r#"{
  "type": "object",
  "properties": {
    "lots": { "type": "number", "title": "Lots", "minimum": 0.01, "maximum": 5, "default": 0.1 },
    "magic": { "type": "integer", "title": "Magic number", "default": 7 },
    "comment": { "type": "string", "title": "Comment of orders" },
    "enabled": { "type": "boolean", "title": "Open trades", "default": true }
  }
}"#;

impl ProductForm {
    /// The form of a product of a brand with these plans (code and name), as it is filled in.
    #[must_use]
    pub fn of(plans: &[(String, String)], filled: &ProductFilled) -> Self {
        let plan = |(code, name): &(String, String)| Field {
            checked: filled.plans.contains(code),
            ..Field::new(FieldKind::Checkbox, format!("plan.{code}"), name.as_str())
        };
        let settings = Field::new(FieldKind::Area, "settings_schema", "What traders can set")
            .value(filled.settings.as_str())
            .hint(SETTINGS_HINT);
        Self {
            fields: vec![
                Field::new(FieldKind::Text, "name", "Name").value(filled.name.as_str()),
                Field {
                    required: false,
                    ..Field::new(FieldKind::Text, "summary", "What it does, in one sentence")
                        .value(filled.summary.as_str())
                },
            ],
            plans: plans.iter().map(plan).collect(),
            settings: Field { required: false, ..settings },
            example: SETTINGS_EXAMPLE,
        }
    }

    /// With other ids: two forms on one page must not share any.
    #[must_use]
    pub fn in_form(mut self, form: &str) -> Self {
        for field in self.fields.iter_mut().chain(&mut self.plans).chain([&mut self.settings]) {
            field.id = format!("{form}-{}", field.id);
        }
        self
    }

    /// All its fields.
    pub fn every(&mut self) -> impl Iterator<Item = &mut Field> {
        self.fields.iter_mut().chain(&mut self.plans).chain([&mut self.settings])
    }
}

/// What the vendor's list is narrowed to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LicenceQuery {
    /// The beginning of an address or account number.
    pub text: String,
    /// A product's id, or empty.
    pub ea: String,
    /// A state, or empty.
    pub state: String,
}

/// `/admin/eas`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VendorPage {
    /// The products.
    pub products: Vec<ProductLine>,
    /// The fields of the search.
    pub search: Vec<Field>,
    /// Whether the list is narrowed.
    pub narrowed: bool,
    /// Licences found, the newest first.
    pub licences: Vec<LicenceLine>,
    /// Neighbouring pages.
    pub pager: Pager,
    /// The same as a file.
    pub csv: String,
    /// The form of a new product; none for who may not add one.
    pub new_product: Option<ProductForm>,
    /// The form of a new licence; empty for who may not issue one, or while there is no policy.
    pub new_licence: Vec<Field>,
    /// Why the last form was refused.
    pub error: Option<String>,
    /// The zone of the times.
    pub zone: String,
    /// The token of the forms.
    pub csrf: String,
}

impl VendorPage {
    /// The fields of the search.
    #[must_use]
    pub fn search(query: &LicenceQuery, products: &[(String, String)]) -> Vec<Field> {
        let optional = |field: Field| Field { required: false, ..field };
        let any = [(String::new(), "Any".to_owned())];
        let states = [("active", "Valid"), ("suspended", "Suspended"), ("revoked", "Revoked")];
        let states = states.map(|(value, label)| (value.to_owned(), label.to_owned()));
        vec![
            optional(Field::new(FieldKind::Text, "q", "E-mail or account number").value(query.text.as_str())),
            optional(
                Field::new(FieldKind::Select, "ea", "Expert Advisor")
                    .value(query.ea.as_str())
                    .choices(any.clone().into_iter().chain(products.iter().cloned())),
            ),
            optional(
                Field::new(FieldKind::Select, "state", "State")
                    .value(query.state.as_str())
                    .choices(any.into_iter().chain(states)),
            ),
        ]
    }

    /// The form of a new product, for a brand with these plans: code and name.
    #[must_use]
    pub fn product_form(plans: &[(String, String)]) -> ProductForm {
        let code = Field::new(FieldKind::Text, "code", "Code")
            .hint("What the EA's source calls itself: small letters, digits and hyphens. It stays.");
        let mut form = ProductForm::of(plans, &ProductFilled::default());
        form.fields.insert(0, code);
        form
    }

    /// The form of a new licence under one of these policies: id and words.
    #[must_use]
    pub fn licence_form(policies: &[(String, String)]) -> Vec<Field> {
        if policies.is_empty() {
            return Vec::new();
        }
        vec![
            Field::new(FieldKind::Select, "policy", "Policy").choices(policies.iter().cloned()),
            Field::new(FieldKind::Email, "owner", "E-mail address of its owner"),
        ]
    }
}

impl Page for VendorPage {
    const TEMPLATE: &'static str = "admin-eas";
}

/// A policy in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyLine {
    /// Its name.
    pub name: String,
    /// What it allows, in words.
    pub terms: String,
}

/// `/admin/eas/{product}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProductPage {
    /// As in the list.
    pub line: ProductLine,
    /// What it does.
    pub summary: String,
    /// Its versions, the newest first.
    pub versions: Vec<VersionLine>,
    /// Its policies, the oldest first.
    pub policies: Vec<PolicyLine>,
    /// The form of a new version; empty for who may not add one.
    pub new_version: Vec<Field>,
    /// The form of a new file; empty for who may not add one, or while there is no version that can have one.
    pub new_file: Vec<Field>,
    /// The form of a new policy.
    pub new_policy: Vec<Field>,
    /// What few policies differ in, of the same form.
    pub more_policy: Vec<Field>,
    /// The form that changes the product; none for who may not.
    pub change: Option<ProductForm>,
    /// What has just been done.
    pub notice: Option<Banner>,
    /// Why the last form was refused.
    pub error: Option<String>,
    /// The zone of the times.
    pub zone: String,
    /// The token of the forms.
    pub csrf: String,
}

impl ProductPage {
    /// The form of a new version.
    #[must_use]
    pub fn version_form() -> Vec<Field> {
        vec![
            Field::new(FieldKind::Text, "version", "Version").hint("One to three numbers with points, such as 1.20."),
            Field::new(FieldKind::Select, "channel", "Channel").choices([("stable", "Stable"), ("beta", "Beta")]),
            Field { required: false, ..Field::new(FieldKind::Area, "changelog", "What changed") },
        ]
    }

    /// The form of a new file of one of these versions: id and number.
    #[must_use]
    pub fn file_form(versions: &[(String, String)]) -> Vec<Field> {
        if versions.is_empty() {
            return Vec::new();
        }
        vec![
            Field { id: "file-version".to_owned(), ..Field::new(FieldKind::Select, "version", "Version") }
                .choices(versions.iter().cloned()),
            Field::new(FieldKind::File, "file", "File").hint(FILE_HINT),
            Field { checked: true, ..Field::new(FieldKind::Checkbox, "sealed", SEAL_LABEL) },
        ]
    }

    /// The form of a new policy: what most policies differ in.
    #[must_use]
    pub fn policy_form() -> Vec<Field> {
        let terms = [("perpetual", "For ever"), ("subscription", "Until it is renewed"), ("trial", "A trial, once")];
        vec![
            Field { id: "policy-name".to_owned(), ..Field::new(FieldKind::Text, "name", "Name") },
            Field::new(FieldKind::Select, "term", "Lasts").choices(terms),
            number("days", "Days", "", "Of a subscription's period or a trial."),
            number("machines", "Computers", "1", "Empty means no limit."),
            number("accounts", "Trading accounts", "1", "Empty means no limit."),
            Field::new(FieldKind::Select, "kinds", "For accounts that are").choices([
                ("both", "demo or live"),
                ("demo", "demo"),
                ("live", "live"),
            ]),
            number(
                "requests_per_minute",
                "Requests a minute of one key",
                "",
                "Empty means as many as this portal lets any.",
            ),
            Field {
                required: false,
                ..Field::new(FieldKind::Checkbox, "floating", "A seat is free when its EA is silent for 10 minutes")
            },
        ]
    }

    /// The same form: what few policies differ in.
    #[must_use]
    pub fn policy_form_more() -> Vec<Field> {
        let binding = [("all", "all three"), ("most", "two of the three"), ("any", "one of the three")];
        vec![
            number("grace_days", "Days that a licence works beyond its end", "0", ""),
            number(
                "cooldown_h",
                "Hours between two moves",
                "0",
                "After a seat was taken, until another computer may take one.",
            ),
            number("lease_h", "Hours that a yes holds without asking", "24", "At most 744, which is 31 days."),
            number("offline_h", "Hours that the EA trades on after that, with a warning", "72", "At most 744."),
            Field::new(FieldKind::Select, "binding", "Of account, server and computer, a seat needs")
                .choices(binding)
                .hint("How many computers and accounts there are is counted all the same."),
            Field {
                required: false,
                ..Field::new(FieldKind::Text, "minimum_version", "Oldest version that still runs")
            },
        ]
    }
}

fn number(name: &str, label: &str, value: &str, hint: &str) -> Field {
    let field = Field::new(FieldKind::Number, name, label).value(value);
    let field = if hint.is_empty() { field } else { field.hint(hint) };
    Field { required: false, min: Some("0".to_owned()), step: Some("1".to_owned()), ..field }
}

impl Page for ProductPage {
    const TEMPLATE: &'static str = "admin-ea";
}
