//! Which row of the authorization table each operation of the API stands under.

use crate::identity::Operation;
use serde_json::Value;

/// By `operationId`. An operation that is missing here stops the boot.
const TABLE: &[(&str, Operation)] = &[
    ("get_session", Operation::ReadSession),
    ("list_instruments", Operation::ListInstruments),
    ("list_bars", Operation::ListBars),
    ("get_market", Operation::ListInstruments),
    ("list_plugins", Operation::ListPlugins),
    ("list_releases", Operation::ReadReleases),
    ("get_release", Operation::ReadReleases),
    ("publish_release", Operation::PublishPlugin),
    ("yank_release", Operation::PublishPlugin),
    ("approve_release", Operation::ApprovePlugin),
    ("refuse_release", Operation::ApprovePlugin),
    ("list_author_keys", Operation::ManageAuthorKeys),
    ("add_author_key", Operation::ManageAuthorKeys),
    ("revoke_author_key", Operation::ManageAuthorKeys),
    ("list_accounts", Operation::ReadAccounts),
    ("get_account", Operation::ReadAccounts),
    ("open_account", Operation::OpenAccount),
    ("list_equity", Operation::ReadAccounts),
    ("list_balances", Operation::ReadAccounts),
    ("list_distances", Operation::ReadAccounts),
    ("follow_account", Operation::StreamAccount),
    ("list_transactions", Operation::ReadAccounts),
    ("move_money", Operation::MoveMoney),
    ("list_orders", Operation::ReadOrders),
    ("get_order", Operation::ReadOrders),
    ("place_order", Operation::PlaceOrder),
    ("amend_order", Operation::AmendOrder),
    ("cancel_order", Operation::CancelOrder),
    ("list_positions", Operation::ReadPositions),
    ("get_position", Operation::ReadPositions),
    ("close_position", Operation::ClosePosition),
    ("reduce_position", Operation::ClosePosition),
    ("close_position_by", Operation::ClosePosition),
    ("guard_position", Operation::GuardPosition),
    ("list_deployments", Operation::ReadDeployments),
    ("get_deployment", Operation::ReadDeployments),
    ("create_deployment", Operation::CreateDeployment),
    ("start_deployment", Operation::StartDeployment),
    ("stop_deployment", Operation::StopDeployment),
    ("list_deployment_log", Operation::ReadDeployments),
    ("list_deployment_decisions", Operation::ReadDecisions),
    ("list_deployment_versions", Operation::ReadDeployments),
    ("upgrade_deployment", Operation::ChangeVersion),
    ("roll_deployment_back", Operation::ChangeVersion),
    ("get_shadow", Operation::ReadDeployments),
    ("list_shadow_differences", Operation::ReadDeployments),
    ("start_shadow", Operation::ChangeVersion),
    ("promote_shadow", Operation::ChangeVersion),
    ("drop_shadow", Operation::ChangeVersion),
    ("get_usage", Operation::ReadUsage),
    ("get_deployment_usage", Operation::ReadDeployments),
    ("start_backtest", Operation::RunBacktest),
    ("list_backtests", Operation::ReadBacktests),
    ("get_backtest", Operation::ReadBacktests),
    ("cancel_backtest", Operation::CancelBacktest),
    ("list_backtest_trades", Operation::ReadBacktests),
    ("get_backtest_equity", Operation::ReadBacktests),
    ("list_backtest_combinations", Operation::ReadBacktests),
    ("list_backtest_windows", Operation::ReadBacktests),
    ("get_backtest_certificate", Operation::ReadBacktests),
    ("export_backtest_trades", Operation::ReadBacktests),
    ("export_backtest_equity", Operation::ReadBacktests),
    ("export_backtest_report", Operation::ReadBacktests),
    ("list_kill_switches", Operation::ReadKills),
    ("press_kill_switch", Operation::PressKill),
    ("release_kill_switch", Operation::ReleaseKill),
    ("list_decisions", Operation::ReadDecisions),
    ("get_decision", Operation::ReadDecisions),
    ("list_eas", Operation::ListEas),
    ("add_ea", Operation::ManageEas),
    ("change_ea", Operation::ManageEas),
    ("list_ea_versions", Operation::ListEas),
    ("add_ea_version", Operation::ManageEas),
    ("yank_ea_version", Operation::ManageEas),
    ("list_ea_files", Operation::ListEas),
    ("add_ea_file", Operation::ManageEas),
    ("remove_ea_file", Operation::ManageEas),
    ("link_ea_file", Operation::DownloadEaFile),
    ("list_licence_policies", Operation::ListEas),
    ("add_licence_policy", Operation::ManageEas),
    ("change_licence_policy", Operation::ManageEas),
    ("list_licences", Operation::ReadLicences),
    ("export_licences", Operation::ReadLicences),
    ("issue_licence", Operation::ManageLicences),
    ("get_licence", Operation::ReadLicences),
    ("get_licence_key", Operation::ShowLicenceKey),
    ("reissue_licence_key", Operation::ReissueLicenceKey),
    ("suspend_licence", Operation::ManageLicences),
    ("reinstate_licence", Operation::ManageLicences),
    ("renew_licence", Operation::ManageLicences),
    ("revoke_licence", Operation::ManageLicences),
    ("transfer_licence", Operation::ManageLicences),
    ("list_activations", Operation::ReadLicences),
    ("release_activation", Operation::ReleaseSeat),
    ("get_ea_settings", Operation::ReadLicences),
    ("set_ea_settings", Operation::SetUpEa),
    ("list_audit", Operation::ReadAudit),
];

/// Operations that nobody need be signed in for: what is asked for stands on what is sent.
pub(super) const OPEN: &[&str] = &["create_tokens", "refresh_tokens", "end_tokens"];

/// The API and the authorization table do not agree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("operation {0:?} of the API has no row in the authorization table; add it to `api/authorization.rs`")]
pub struct Unauthorized(pub String);

/// The row of an operation.
pub(super) fn row(operation_id: &str) -> Option<Operation> {
    TABLE.iter().find(|(id, _)| *id == operation_id).map(|(_, operation)| *operation)
}

/// Checks that every operation of an OpenAPI document has a row.
pub(super) fn check(document: &str) -> Result<(), Unauthorized> {
    let document: Value = serde_json::from_str(document).map_err(|error| Unauthorized(error.to_string()))?;
    let paths = document.get("paths").and_then(Value::as_object).into_iter().flatten();
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            let id = operation.get("operationId").and_then(Value::as_str);
            let known = id.is_some_and(|id| OPEN.contains(&id) || row(id).is_some());
            known.then_some(()).ok_or_else(|| Unauthorized(format!("{method} {path}")))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_without_a_row_is_named() {
        let document = r#"{"paths": {"/x": {"get": {"operationId": "get_session"}, "post": {"operationId": "grow"}}}}"#;
        assert_eq!(check(document), Err(Unauthorized("post /x".to_owned())));
        assert!(check(r#"{"paths": {"/x": {"get": {}}}}"#).is_err());
        assert!(check("").is_err());
    }
}
