--- What to do about the error numbers of Microsoft Entra that users of Fabric meet.
--- Numbers: Microsoft's page "Microsoft Entra authentication and authorization error codes".

return {
  -- secrets, certificates and assertions
  [7000215] = "the client secret is wrong: set AZURE_CLIENT_SECRET to the secret's value, "
    .. "not to its id",
  [7000222] = "the client secret has expired: make a new one for the app and set "
    .. "AZURE_CLIENT_SECRET to it",
  [700021] = "the assertion is not for this app: check AZURE_CLIENT_ID",
  [700023] = "the assertion is not for this authority: check AZURE_AUTHORITY_HOST and "
    .. "AZURE_TENANT_ID",
  [700024] = "the assertion is not valid at this time: is this machine's clock right?",
  [700027] = "the certificate is not registered with the app: register it (in Entra, under "
    .. "Certificates & secrets), or use the one that is",
  [70021] = "the app has no federated credential for this token: add one to it with the token's "
    .. "issuer and subject",
  [700211] = "the app has no federated credential of this token's issuer: add one to it",
  [700212] = "the app's federated credential is for another audience than the token's: they must "
    .. "be the same, as a rule api://AzureADTokenExchange",
  [700213] = "the app has no federated credential for this token's subject: add one to it with "
    .. "the subject of this job or service account",
  [7000218] = "the request carried no client secret: set AZURE_CLIENT_SECRET",
  -- the app and the tenant
  [7000112] = "the app is disabled in this tenant: have an administrator enable it",
  [700016] = "the tenant does not know this app: check AZURE_CLIENT_ID and AZURE_TENANT_ID",
  [90002] = "there is no such tenant: check AZURE_TENANT_ID, and AZURE_AUTHORITY_HOST for national "
    .. "clouds",
  [900021] = "there is no such tenant: check AZURE_TENANT_ID",
  [900023] = "AZURE_TENANT_ID is neither a tenant's id nor one of its domains",
  [900382] = "the app and the tenant are in different clouds: check AZURE_AUTHORITY_HOST",
  [500011] = "Fabric is not known in this tenant: check AZURE_TENANT_ID, and the scope for "
    .. "national clouds",
  [500014] = "Fabric is disabled in this tenant: have an administrator enable it",
  [500341] = "the account was deleted from this tenant: sign in with another",
  [70011] = "the scope is wrong: the usual one is https://api.fabric.microsoft.com/.default",
  [1002012] = "the scope is wrong: it must end in /.default",
  [65001] = "nobody has consented to this app: have an administrator grant it access",
  -- rules of the tenant
  [50076] = "the tenant asks for a second factor: a person signs in again, and for an app, which "
    .. "cannot give one, the policy has to change",
  [50079] = "the tenant asks for a second factor: a person signs in again, and for an app, which "
    .. "cannot give one, the policy has to change",
  [53003] = "Conditional Access blocks this app or this network: ask the tenant's administrator",
  [530036] = "Conditional Access blocks sign-in by device code here: sign in with az login, or ask "
    .. "the tenant's administrator",
  -- people
  [70017] = "the sign-in was refused in the browser: start again if that was a mistake",
  [70018] = "the device code is not known: start the sign-in again",
  [70020] = "the device code has expired before it was entered: start the sign-in again",
  [70043] = "the sign-in is too old for a rule of the tenant: sign in again",
  [700082] = "the sign-in has expired, nobody having used it for long: sign in again",
  [700084] = "the sign-in has expired: sign in again",
  [50173] = "the sign-in was revoked (a new password, as a rule): sign in again",
  [50034] = "this account does not exist in the tenant: check AZURE_TENANT_ID",
  [50196] = "Entra saw too many equal requests from this app: wait a few minutes",
}
