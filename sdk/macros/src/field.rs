//! One setting: what the author wrote above a field.

use crate::number::Number;
use proc_macro2::{Ident, Span};
use syn::{
    Attribute, Expr, ExprLit, Field, GenericArgument, Lit, LitBool, LitInt, LitStr, Meta, Path, PathArguments, Token,
    Type, ext::IdentExt, meta::ParseNestedMeta, spanned::Spanned,
};

/// What a setting is when it is left out, or what the form shows first.
#[derive(Clone)]
pub enum Preset {
    Number(Number),
    Text(LitStr),
    Flag(LitBool),
    /// A variant of an enum of choices.
    Choice(Path),
}

impl Preset {
    pub fn span(&self) -> Span {
        match self {
            Self::Number(number) => number.span,
            Self::Text(text) => text.span(),
            Self::Flag(flag) => flag.span(),
            Self::Choice(path) => path.span(),
        }
    }

    fn parse(meta: &ParseNestedMeta<'_>) -> syn::Result<Self> {
        let input = meta.value()?;
        if input.peek(Token![-]) {
            return Number::parse(input).map(Self::Number);
        }
        if !input.peek(Lit) {
            return input.parse().map(Self::Choice);
        }
        Ok(match input.parse::<Lit>()? {
            Lit::Str(text) => Self::Text(text),
            Lit::Bool(flag) => Self::Flag(flag),
            literal => Self::Number(Number::of(false, &literal)?),
        })
    }
}

/// What the attributes say.
#[derive(Default)]
pub struct Said {
    pub title: Option<LitStr>,
    pub unit: Option<LitStr>,
    pub min: Option<Number>,
    pub max: Option<Number>,
    pub above: Option<Number>,
    pub below: Option<Number>,
    pub step: Option<Number>,
    pub min_length: Option<LitInt>,
    pub max_length: Option<LitInt>,
    /// It may be left out and is this then.
    pub default: Option<Preset>,
    /// The form shows this first.
    pub suggest: Option<Preset>,
}

/// A setting.
pub struct Setting {
    pub ident: Ident,
    /// Its name in JSON.
    pub name: String,
    /// The field's type, and what is in it when it may be left out.
    pub whole: Type,
    pub kind: Type,
    pub optional: bool,
    pub description: String,
    pub said: Said,
}

impl Setting {
    pub fn of(field: &Field) -> syn::Result<Self> {
        let Some(ident) = field.ident.clone() else {
            return Err(syn::Error::new(field.span(), "settings are a struct with named fields"));
        };
        let name = ident.unraw().to_string();
        let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
        if name.len() > 64 || !name.bytes().all(plain) {
            let text = "a setting's name has small letters, digits and underscores, at most 64";
            return Err(syn::Error::new(ident.span(), text));
        }
        let inner = inside_option(&field.ty);
        let setting = Self {
            ident,
            name,
            whole: field.ty.clone(),
            kind: inner.unwrap_or(&field.ty).clone(),
            optional: inner.is_some(),
            description: description(&field.attrs),
            said: said(&field.attrs)?,
        };
        setting.check()?;
        Ok(setting)
    }

    /// What contradicts itself, at the place where it does.
    fn check(&self) -> syn::Result<()> {
        let said = &self.said;
        let at = |span, text: &str| Err(syn::Error::new(span, text));
        if let (Some(_), Some(preset)) = (&said.default, &said.suggest) {
            return at(preset.span(), "a setting with a default suggests it already; leave one of the two out");
        }
        if let (true, Some(preset)) = (self.optional, &said.default) {
            return at(preset.span(), "a setting with a default is never missing: leave the Option out, or suggest it");
        }
        if let (Some(_), Some(second)) = (&said.min, &said.above) {
            return at(second.span, "say either `min` or `above`");
        }
        if let (Some(_), Some(second)) = (&said.max, &said.below) {
            return at(second.span, "say either `max` or `below`");
        }
        if let Some(step) = said.step.as_ref().filter(|step| step.units <= 0) {
            return at(step.span, "a step is above zero");
        }
        let low = said.min.as_ref().or(said.above.as_ref());
        if let (Some(low), Some(high)) = (low, said.max.as_ref().or(said.below.as_ref()))
            && (high.units < low.units || (high.units == low.units && (said.above.is_some() || said.below.is_some())))
        {
            return at(high.span, "no number is left between the limits");
        }
        match said.default.as_ref().or(said.suggest.as_ref()) {
            Some(Preset::Number(number)) if !self.allows(number.units) => at(number.span, "this is beyond the limits"),
            _ => Ok(()),
        }
    }

    fn allows(&self, units: i64) -> bool {
        let said = &self.said;
        said.min.as_ref().is_none_or(|n| units >= n.units)
            && said.max.as_ref().is_none_or(|n| units <= n.units)
            && said.above.as_ref().is_none_or(|n| units > n.units)
            && said.below.as_ref().is_none_or(|n| units < n.units)
            && said.step.as_ref().is_none_or(|n| units % n.units == 0)
    }

    /// Whether it limits a number, or a text.
    pub fn limits(&self) -> (Option<Span>, Option<Span>) {
        let said = &self.said;
        let numbers = [&said.min, &said.max, &said.above, &said.below, &said.step];
        let number = numbers.into_iter().flatten().map(|n| n.span).next();
        (number, said.min_length.as_ref().or(said.max_length.as_ref()).map(LitInt::span))
    }
}

fn said(attrs: &[Attribute]) -> syn::Result<Said> {
    let mut said = Said::default();
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("setting")) {
        attr.parse_nested_meta(|meta| take(&mut said, &meta))?;
    }
    Ok(said)
}

fn take(said: &mut Said, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
    let number = |place: &mut Option<Number>| once(meta, place, Number::parse(meta.value()?)?);
    let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
    match name.as_str() {
        "title" => once(meta, &mut said.title, meta.value()?.parse()?),
        "unit" => once(meta, &mut said.unit, meta.value()?.parse()?),
        "min" => number(&mut said.min),
        "max" => number(&mut said.max),
        "above" => number(&mut said.above),
        "below" => number(&mut said.below),
        "step" => number(&mut said.step),
        "min_length" => once(meta, &mut said.min_length, meta.value()?.parse()?),
        "max_length" => once(meta, &mut said.max_length, meta.value()?.parse()?),
        "default" => once(meta, &mut said.default, Preset::parse(meta)?),
        "suggest" => once(meta, &mut said.suggest, Preset::parse(meta)?),
        _ => Err(meta.error(
            "a setting knows: title, unit, min, max, above, below, step, min_length, max_length, default, suggest",
        )),
    }
}

fn once<T>(meta: &ParseNestedMeta<'_>, place: &mut Option<T>, value: T) -> syn::Result<()> {
    if place.replace(value).is_some() { Err(meta.error("said twice")) } else { Ok(()) }
}

/// The lines of a doc comment as one paragraph.
pub fn description(attrs: &[Attribute]) -> String {
    let lines = attrs.iter().filter_map(|attr| match &attr.meta {
        Meta::NameValue(doc) if doc.path.is_ident("doc") => match &doc.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value().trim().to_owned()),
            _ => None,
        },
        _ => None,
    });
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

fn inside_option(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|segment| segment.ident == "Option")?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.first() {
        Some(GenericArgument::Type(inner)) => Some(inner),
        _ => None,
    }
}
