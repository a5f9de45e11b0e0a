//! How long somebody still has to wait, in the words of a page. `themes/base/js/countdown.js` goes on with the same ones.

use handlebars::{Context, Handlebars, Helper, HelperDef, HelperResult, Output, RenderContext, RenderErrorReason};

/// Up to here it is said in seconds. Nobody counts more of them.
const SECONDS_SAID_MAX: u64 = 120;

/// What comes after “Try again in”. Minutes are rounded up: who comes back then is let through.
fn words(seconds: u64) -> String {
    if seconds > SECONDS_SAID_MAX { format!("{} minutes", seconds.div_ceil(60)) } else { format!("{seconds} s") }
}

/// `{{wait seconds}}`: that many seconds as a person counts them.
pub(super) struct WaitHelper;

impl HelperDef for WaitHelper {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let Some(seconds) = helper.param(0).and_then(|param| param.value().as_u64()) else {
            return Err(RenderErrorReason::Other("a wait is a number of seconds".to_owned()).into());
        };
        out.write(&words(seconds))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_seconds_are_counted_and_many_are_minutes() {
        for (seconds, said) in [
            (1, "1 s"),
            (59, "59 s"),
            (120, "120 s"),
            (121, "3 minutes"),
            (180, "3 minutes"),
            (540, "9 minutes"),
            (3_540, "59 minutes"),
            (3_600, "60 minutes"),
        ] {
            assert_eq!(words(seconds), said, "{seconds}");
        }
    }
}
